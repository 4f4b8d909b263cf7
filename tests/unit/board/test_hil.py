# SPDX-License-Identifier: Apache-2.0
"""Patterns of console lines: easy to write, and harmless whatever the line is."""

import time

import pytest

from ota_board.errors import BoardError
from ota_board.hil import Pattern


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("Starting kernel ...", "Starting kernel ..."),
        ("U-Boot 20*", "U-Boot 2025.01 (Jan 01 1970 - 00:00:00 +0000)"),
        ("* login:", "board login: [   22.114091] i2c"),
        ("ota: slot *, release *, userspace up", "ota: slot A, release 1.0, userspace up"),
        ("bad CRC*using default", "*** Warning - bad CRC, using default environment"),
        ("overlaps OS image (OS=", "ERROR: FDT image overlaps OS image (OS=200000..2700000)"),
    ],
)
def test_a_line_with_the_parts_in_order_is_found(pattern: str, line: str) -> None:
    assert Pattern(pattern).found_in(line)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("U-Boot 20*", "U-Boot SPL 2025.01"),
        ("ota: slot *, release", "ota: release slot , "),
        ("Starting kernel ...", "Starting kernel.."),
        ("boot*boot*boot", "boot reboot"),
    ],
)
def test_a_line_without_them_is_not(pattern: str, line: str) -> None:
    assert not Pattern(pattern).found_in(line)


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("*", "found by chance"),
        ("abc*def", "at least 4 characters"),
        ("x" * 121, "at most 120 characters"),
        ("many*a*b*c*d*", "4 times"),
        ("Grüße", "printable ASCII"),
        ("two\tcolumns", "printable ASCII"),
    ],
)
def test_what_would_be_found_everywhere_or_nowhere_is_refused(pattern: str, error: str) -> None:
    with pytest.raises(BoardError, match=error):
        Pattern(pattern)


def test_a_hostile_line_takes_no_longer_than_another() -> None:
    pattern = Pattern("aaaa*aaaa*aaaa*aaaab")

    began = time.process_time()
    found = pattern.found_in("a" * 1_000_000)

    assert not found
    assert time.process_time() - began < 0.5
