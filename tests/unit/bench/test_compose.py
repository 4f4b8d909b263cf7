# SPDX-License-Identifier: Apache-2.0
"""What the bench of `compose` says of what it measured."""

import pytest

from bench.artifact.measure import Sample
from bench.image import compose
from bench.image.__main__ import main
from bench.image.compose import Row, missed, table
from ota_artifact.errors import ProgramError


def found(wall: float, rss: float, theirs: float = 1.0) -> list[Row]:
    return [
        Row("ota-image compose", Sample(0.5, wall, rss)),
        Row("genimage, bmaptool create", Sample(0.5, theirs, 1e6)),
    ]


def test_targets_that_are_met_give_no_line() -> None:
    assert missed(found(1.1, 40e6)) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (found(9, 40e6, 9), "9.0 s; at most 8 s"),
        (found(1, 151e6), "151 MB; at most 150 MB"),
        (found(1.2, 40e6), "1.20 of genimage, bmaptool create; at most 1.1"),
    ],
)
def test_a_missed_target_is_named(rows: list[Row], said: str) -> None:
    (line,) = missed(rows)

    assert said in line


def test_the_table_has_a_row_for_each() -> None:
    assert (
        table(found(0.41, 40e6)).splitlines()[2]
        == "| ota-image compose | 0.41 s | 0.50 s | 40 MB |"
    )


def test_a_program_that_fails_ends_the_bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(*_: object, **__: object) -> list[Row]:
        raise ProgramError("genimage: not found")

    monkeypatch.setattr(compose, "rows", rows)

    assert main([]) == 3
    assert capsys.readouterr().err == "bench: genimage: not found\n"


def test_a_missed_target_fails_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compose, "rows", lambda *_, **__: found(9, 40e6, 9))

    assert main([]) == 0
    assert main(["--check"]) == 1
    assert "missed: ota-image compose: 9.0 s" in capsys.readouterr().out
