# SPDX-License-Identifier: Apache-2.0
"""A finding has the same form from all tools."""

import dataclasses
import re

from ota_artifact.finding import Finding, warning
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "doctor.md"


def test_a_finding_is_printed_in_three_lines() -> None:
    found = Finding(hazard="data-full", place="/data", cause="no room", remedy="make some")

    assert str(found) == "error: data-full: /data\n  cause: no room\n  remedy: make some"


def test_a_warning_is_a_finding_of_that_severity() -> None:
    found = warning("data-full", PAGE, "little room", "make some")

    assert (found.severity, found.place) == ("warning", str(PAGE))


def test_the_page_has_each_field() -> None:
    table = PAGE.read_text("utf-8").partition("| Field |")[2].partition("\n\n")[0]

    names = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    assert names == [each.name for each in dataclasses.fields(Finding)]
