# SPDX-License-Identifier: Apache-2.0
"""The command: how it reports wrong options, interrupts and failures."""

import pytest

from bench.artifact import __main__ as command
from ota_artifact.errors import ProgramError


def _raising(error: BaseException) -> object:
    def measure(_: object) -> int:
        raise error

    return measure


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])

    assert ended.value.code == 0
    assert "example: python -m bench.artifact --quick" in capsys.readouterr().out


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_wrong_number_of_rounds_is_refused(
    rounds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main([f"--rounds={rounds}"])

    assert "is not a number from 1 on" in capsys.readouterr().err


def test_an_interrupt_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_measure", _raising(KeyboardInterrupt()))

    code = command.main([])

    assert code == 130
    assert capsys.readouterr().err == "bench: interrupted\n"


def test_a_program_that_failed_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_measure", _raising(ProgramError("mke2fs: no space")))

    code = command.main([])

    assert code == 3
    assert capsys.readouterr().err == "bench: mke2fs: no space\n"
