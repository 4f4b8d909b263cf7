# SPDX-License-Identifier: Apache-2.0
"""How a board started, by what its console printed."""

import io

import pytest

from ota_board.hil import Death, Hil, Milestone, Pattern
from ota_hil.saved_log import lines_of
from ota_hil.starts import MOST_STARTS, Finding, Start, expected, findings, starts_of

HIL = Hil(
    milestones=(
        Milestone(name="spl", pattern=Pattern("SPL 20*"), by="spl", after="power", within=5),
        Milestone(name="first", pattern=Pattern("first boot"), by="bootloader", only="once"),
        Milestone(
            name="kernel", pattern=Pattern("Linux"), by="linux", after="spl", within=10, missing="?"
        ),
        Milestone(name="web", pattern=Pattern("port 80"), by="system", after="kernel", within=20),
        Milestone(
            name="login",
            pattern=Pattern("* login:"),
            by="system",
            after="kernel",
            within=30,
            basis="qemu",
        ),
    ),
    deaths=(
        Death(pattern=Pattern("panic - *"), by="linux", means="It died.", remedy="Wait."),
        Death(pattern=Pattern("CCCC"), by="rom", means="No MLO.", remedy="Write the card."),
    ),
)


def starts(log: str) -> list[Start]:
    return starts_of(lines_of(io.BytesIO(log.encode())), HIL)


def wrong(log: str) -> list[Finding]:
    (start,) = starts(log)
    return findings(start, HIL)


def test_a_good_start_has_no_finding() -> None:
    assert wrong("\nSPL 2025\nfirst boot\nLinux\na login: port 80\n") == []


def test_milestones_after_the_same_one_come_in_any_order() -> None:
    assert wrong("SPL 2025\nLinux\nport 80\na login:\n") == []
    assert wrong("SPL 2025\nLinux\na login:\nport 80\n") == []


def test_what_did_not_come_is_named() -> None:
    found = wrong("SPL 2025\nport 80\n")

    assert [(each.kind, each.name, each.means) for each in found] == [
        ("missing", "kernel", "?"),
        ("missing", "login", ""),
    ]


def test_what_came_before_its_time_is_named() -> None:
    (found,) = wrong("SPL 2025\na login:\nLinux\nport 80\n")

    assert (found.kind, found.name) == ("early", "login")
    assert found.means == "It came before kernel, at line 3."


def test_what_came_late_is_named_if_the_log_has_times() -> None:
    log = "[1.000] SPL 2025\n[2.000] Linux\n[9.000] port 80\n[40.500] a login:\n"

    (found,) = wrong(log)

    assert (found.kind, found.name) == ("late", "login")
    assert found.means == "It came 38.5 s after kernel: within 30 s of kernel (as in QEMU)."


def test_a_death_is_named_once_with_what_it_means_before_what_follows_from_it() -> None:
    found = wrong("SPL 2025\nLinux\npanic - no root\npanic - again\n")

    assert [each.kind for each in found] == ["death", "missing", "missing"]
    assert found[0].heard
    assert found[0].heard.text == "panic - no root"
    assert (found[0].means, found[0].remedy) == ("It died. It came 2 times.", "Wait.")


def test_each_line_of_the_first_milestone_begins_a_start() -> None:
    found = starts("noise\nSPL 2025\nLinux\nSPL 2025\nfirst boot\n")

    assert [each.number for each in found] == [2, 4]
    assert [list(each.came) for each in found] == [["spl", "kernel"], ["spl", "first"]]


def test_what_came_before_the_first_start_is_kept_if_it_says_something() -> None:
    found = starts("CCCCCCCC\nSPL 2025\n")

    assert [each.number for each in found] == [1, 2]
    assert [len(each.deaths) for each in found] == [1, 0]


@pytest.mark.parametrize("log", ["", "nothing that we know\n"])
def test_a_log_without_a_start_lacks_every_milestone(log: str) -> None:
    assert [each.kind for each in wrong(log)] == ["missing"] * 4


def test_a_board_that_resets_for_ever_is_not_read_to_the_end() -> None:
    assert len(starts("SPL 2025\n" * 5000)) == MOST_STARTS


def test_the_time_of_a_milestone_comes_with_its_basis() -> None:
    assert [expected(each) for each in HIL.milestones[:3]] == [
        "within 5 s of power-on (an estimate)",
        "once",
        "within 10 s of spl (an estimate)",
    ]
