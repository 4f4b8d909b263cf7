# SPDX-License-Identifier: Apache-2.0
"""The tables, as Markdown."""

from bench.artifact.measure import Sample
from bench.artifact.page import costs, table, verdicts
from bench.artifact.targets import MB, Finding, Result, Target


def test_a_table_has_a_head_a_rule_and_a_line_for_each_row() -> None:
    text = table(("a", "b"), [("1", "2"), ("3", "4")])

    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"


def test_a_missed_target_stands_out() -> None:
    text = verdicts([Finding(Target(case="write gzip", cost="wall", limit=0.4), 0.43)])

    assert "| write gzip: wall | 0.43 | 0.40 | **not reached** |" in text


def test_both_programs_have_a_row_and_a_case_without_output_has_no_size() -> None:
    ours = Sample(cpu=1.04, wall=1.1, rss=27 * MB)
    theirs = Sample(cpu=1.64, wall=1.67, rss=23 * MB)

    text = costs({"validate gzip": Result(ours, theirs)})

    assert "| validate gzip | ota-artifact | 1.04 s | 1.10 s | 27 MB |  |" in text
    assert "|  | mender-artifact | 1.64 s | 1.67 s | 23 MB |  |" in text


def test_zstd_says_that_it_is_compared_with_gzip() -> None:
    sample = Sample(cpu=1.0, wall=1.0, rss=1, size=1)

    text = costs({"write zstd": Result(sample, sample)})

    assert "| mender-artifact, gzip |" in text
