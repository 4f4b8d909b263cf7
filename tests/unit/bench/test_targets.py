# SPDX-License-Identifier: Apache-2.0
"""Targets and results: the verdict can be either."""

import pytest

from bench.artifact.measure import Sample
from bench.artifact.targets import MB, TARGETS, Finding, Result, Target, findings

_THEIRS = Sample(cpu=4.0, wall=2.0, rss=100 * MB, size=1000)


def test_a_ratio_is_ours_divided_by_theirs() -> None:
    results = {"write gzip": Result(Sample(cpu=1.0, wall=1.0, rss=1, size=1040), _THEIRS)}

    values = {each.target.cost: each.value for each in findings(results)}

    assert values["cpu"] == 0.25
    assert values["wall"] == 0.5
    assert values["size"] == 1.04


def test_memory_is_not_compared_with_theirs() -> None:
    results = {"write gzip": Result(Sample(cpu=1.0, wall=1.0, rss=50 * MB, size=1), _THEIRS)}

    values = {each.target.cost: each.value for each in findings(results)}

    assert values["rss"] == 50 * MB


@pytest.mark.parametrize(("value", "is_reached"), [(0.5, True), (0.5001, False), (0.2, True)])
def test_a_target_is_reached_up_to_its_limit_and_not_beyond(value: float, is_reached: bool) -> None:
    finding = Finding(Target(case="write gzip", cost="cpu", limit=0.5), value)

    assert finding.is_reached is is_reached
    assert (finding.verdict == "reached") is is_reached


def test_a_case_that_did_not_run_has_no_verdict() -> None:
    assert list(findings({})) == []


def test_every_target_has_a_verdict_when_all_cases_ran() -> None:
    ours = Sample(cpu=1.0, wall=1.0, rss=1, size=1)
    results = {target.case: Result(ours, _THEIRS) for target in TARGETS}

    found = list(findings(results))

    assert [each.target for each in found] == list(TARGETS)


@pytest.mark.parametrize(
    ("cost", "is_ratio", "value", "shown"),
    [
        ("cpu", True, 0.456, "0.46"),
        ("size", True, 1.016, "+1.6 %"),
        ("size", True, 0.9, "-10.0 %"),
        ("rss", False, 34_400_000.0, "34 MB"),
    ],
)
def test_values_are_shown_in_the_terms_of_their_target(
    cost: str, is_ratio: bool, value: float, shown: str
) -> None:
    target = Target(case="write gzip", cost=cost, limit=1.0, is_ratio=is_ratio)

    assert target.shown(value) == shown
