# SPDX-License-Identifier: Apache-2.0
"""Programs whose output is passed on as it comes."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import Ended, run, stream


def _python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", program)


def _ignore(piece: bytes) -> None:
    pass


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_output_errors_and_exit_code_are_passed_on() -> None:
    printed: list[bytes] = []
    shown: list[bytes] = []
    program = "import sys; sys.stdout.write('out' * 100000); sys.stderr.write('err'); sys.exit(4)"

    ended = stream(_python(program), silence=10, sink=printed.append, show=shown.append)

    assert ended == Ended(4, "err")
    assert b"".join(printed) == b"out" * 100000
    assert b"".join(shown) == b"err"


def test_a_program_that_is_not_interactive_reads_nothing() -> None:
    printed: list[bytes] = []

    ended = stream(
        _python("import sys; print(sys.stdin.read(), 'end')"), silence=10, sink=printed.append
    )

    assert ended.code == 0
    assert printed == [b" end\n"]


def test_a_silent_program_is_ended() -> None:
    begin = time.monotonic()

    with pytest.raises(ProgramError, match=r"printed nothing for 0\.2 s"):
        stream(_python("import time; time.sleep(60)"), silence=0.2, sink=_ignore)

    assert time.monotonic() < begin + 10


def test_a_program_that_closes_its_output_and_stays_is_ended() -> None:
    program = "import os, time; os.close(1); os.close(2); time.sleep(60)"

    with pytest.raises(ProgramError, match=r"did not finish within 0\.2 s"):
        stream(_python(program), silence=0.2, sink=_ignore)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_error_while_reading_ends_the_program(tmp_path: Path, error: BaseException) -> None:
    def broken(piece: bytes) -> None:
        (tmp_path / "pid").write_bytes(piece)
        raise error

    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"

    with pytest.raises(type(error)):
        stream(_python(program), silence=10, sink=broken)

    pid = int((tmp_path / "pid").read_text())
    _wait_until(lambda: not Path(f"/proc/{pid}").exists())


def _tidies_up(path: Path) -> tuple[str, ...]:
    """A program that tidies up after SIGTERM."""
    return _python(
        "import signal, sys, time\n"
        "def tidy(*_):\n"
        f"    time.sleep(0.2); open({str(path)!r}, 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, tidy); print('ready', flush=True); time.sleep(60)"
    )


def test_a_program_that_is_ended_has_time_to_tidy_up(tmp_path: Path) -> None:
    def interrupted(piece: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(_tidies_up(tmp_path / "tidied"), silence=10, sink=interrupted)

    assert (tmp_path / "tidied").exists()


def test_a_program_that_takes_too_long_has_time_to_tidy_up(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"did not finish within 0\.5 s"):
        run(_tidies_up(tmp_path / "tidied"), timeout=0.5)

    assert (tmp_path / "tidied").exists()


def test_a_program_that_does_not_end_when_asked_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ota_artifact.run._GRACE", 0.1)
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    begin = time.monotonic()

    with pytest.raises(ProgramError, match="did not finish"):
        run(_python(program), timeout=0.3)
    with pytest.raises(ProgramError, match="printed nothing"):
        stream(_python(program), silence=0.3, sink=_ignore)

    assert time.monotonic() < begin + 10


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramError, match="no-such-program: not found"):
        stream(("no-such-program",), silence=1, sink=_ignore)
