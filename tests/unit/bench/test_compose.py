# SPDX-License-Identifier: Apache-2.0
"""How the bench of images reports its measurements."""

import pytest

from bench.artifact.measure import Sample
from bench.image import __main__ as command
from bench.image import build, compose, page
from bench.image.compose import Row
from bench.image.target import Target
from ota_artifact.errors import ProgramError


def found(wall: float, rss: float, alone: float = 1.0, both: float = 1.0) -> list[Row]:
    return [
        Row("ota-image compose", Sample(cpu=0.5, wall=wall, rss=rss)),
        Row("genimage", Sample(cpu=0.5, wall=alone, rss=1e6)),
        Row("genimage, bmaptool create", Sample(cpu=0.5, wall=both, rss=1e6)),
    ]


def missed(rows: list[Row]) -> list[str]:
    return [" ".join(each.cells[1:3]) for each in compose.targets(rows) if not each.is_reached]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (found(1.1, 150e6), []),
        (found(9, 40e6, 9, 9), ["9.0 s 8.0 s"]),
        (found(1, 151e6), ["151 MB 150 MB"]),
        (found(1.2, 40e6, 1, 2), ["1.20 1.10"]),
        (found(1.2, 40e6, 1, 1), ["1.20 1.10", "1.20 1.10"]),
    ],
)
def test_a_missed_target_is_reported_with_its_limit(rows: list[Row], said: list[str]) -> None:
    assert missed(rows) == said


def test_a_build_and_a_boot_have_targets_of_their_own() -> None:
    sample = Sample(cpu=1, wall=41, rss=1e6)

    cells = [each.cells for each in build.targets(sample, 9.96, sample)]

    assert [row[3] for row in cells] == ["**not reached**", "reached", "reached"]
    assert cells[2][1:3] == ("10.0 s", "10.0 s")
    assert len(build.targets(sample, 9.9, None)) == 2


def test_the_tables_have_a_row_for_each() -> None:
    costs = page.costs([("ota-image compose", Sample(cpu=0.5, wall=0.41, rss=40e6))])
    targets = page.verdicts([Target(what="compose", value=0.41, limit=8, unit="s")])

    assert costs.splitlines()[2] == "| ota-image compose | 0.41 s | 0.50 s | 40 MB |"
    assert targets.splitlines()[2] == "| compose | 0.4 s | 8.0 s | reached |"


def test_a_program_that_fails_ends_the_bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def facts(_load: float) -> str:
        raise ProgramError("genimage: not found")

    monkeypatch.setattr(page, "facts", facts)

    assert command.main([]) == 3
    assert capsys.readouterr().err == "bench: genimage: not found\n"


def test_a_missed_target_fails_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "facts", lambda _: "")
    monkeypatch.setattr(compose, "rows", lambda *_, **__: found(9, 40e6, 9, 9))
    monkeypatch.setattr(build, "build_cached", lambda *_, **__: Sample(cpu=1, wall=5, rss=1e6))
    monkeypatch.setattr(build, "power_on_to_userspace", lambda *_, **__: 8.0)

    assert command.main([]) == 0
    assert command.main(["--check"]) == 1
    assert "| compose, 512 MiB | 9.0 s | 8.0 s | **not reached** |" in capsys.readouterr().out
