# SPDX-License-Identifier: Apache-2.0
"""The table of hosts says what was seen, and keeps it."""

import pytest

from tests.hosts.host import HOSTS, archives
from tests.hosts.table import README, Cell, cell_of, filled

PAGE = "# A\n\n<!-- table -->\n<!-- end -->\n\nB\n"
GOOD = Cell(is_good=True, counts="", seconds=385.2, day="2026-11-30")


def test_what_was_seen_is_in_its_cell_and_the_rest_was_not_tried() -> None:
    page = filled(PAGE, ("Debian 13", "sudo"), "demo", GOOD)

    lines = page.splitlines()
    assert lines[:3] == ["# A", "", "<!-- table -->"]
    assert lines[-3:] == ["<!-- end -->", "", "B"]
    [row] = [line for line in lines if line.startswith("| Debian 13 ")]
    assert row.startswith("| Debian 13 | with sudo | good, 385 s, 2026-11-30 | not tried |")
    [row] = [line for line in lines if line.startswith("| Debian 12 ")]
    assert row.count("not tried") == 5


def test_a_new_cell_leaves_the_others() -> None:
    page = filled(PAGE, ("Debian 13", "sudo"), "demo", GOOD)
    bad = cell_of(2, 9.7, "2026-12-01", "make: *** [Makefile:27: test] Error 1\n")

    page = filled(
        filled(page, ("Debian 12", "plain"), "test", bad), ("Debian 12", "sudo"), "check", GOOD
    )

    assert page.count("good, 385 s, 2026-11-30") == 2
    assert page.count("**failed**, 10 s, 2026-12-01") == 1


def test_the_counts_of_tests_are_shown() -> None:
    said = "FAILED a.py::b\n= 3 failed, 850 passed, 2 skipped, 9 warnings in 2410.50s (0:40:10) =\n"

    assert str(cell_of(0, 2412, "2026-11-30", "17 passed in 0.5s\n" + said)) == (
        "3 failed, 850 passed, 2 skipped, 2412 s, 2026-11-30"
    )
    assert str(cell_of(1, 2412, "2026-11-30", said)).startswith("**3 failed, 850 passed, 2 skip")


def test_the_readmes_table_can_be_filled() -> None:
    page = README.read_text("utf-8")

    assert filled(page, ("Debian 12", "sudo"), "demo", GOOD).count("good, 385 s") >= 1


@pytest.mark.parametrize(
    ("mirror", "last"),
    [
        ("http://host.test/debian/", "deb http://host.test/debian-security trixie-security main"),
        ("http://host.test/mine", "deb http://host.test/mine trixie-security main"),
    ],
)
def test_security_updates_are_taken_along(mirror: str, last: str) -> None:
    lines = archives(HOSTS["debian-13"], mirror)

    assert len(lines) == 3
    assert lines[-1] == last


def test_an_archive_that_nobody_names_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"no archive of Ubuntu 24\.04 here; name one"):
        archives(HOSTS["ubuntu-24.04"], None)
