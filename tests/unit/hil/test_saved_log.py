# SPDX-License-Identifier: Apache-2.0
"""A saved console log can be read, whatever is in the file."""

import io
import random

import pytest

from ota_hil.saved_log import Heard, lines_of


def texts(log: bytes) -> list[str]:
    return [each.text for each in lines_of(io.BytesIO(log))]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\r\n", ["one", "two"]),
        (b"\x1b[31;1mred\x1b[0m\x1b[?25h\n", ["red"]),
        (b"\x1b]0;title\x07in a \x1b]8;;http://x\x1b\\link\n", ["in a link"]),
        (b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe\n", ["BdsDxe"]),
        (b"\xff\x00\xfeU-Boot\x80 20\x08\n", ["U-Boot 20"]),
        ("\ufeffU-Boot\r\nok".encode("utf-16-le"), ["U-Boot", "ok"]),
        ("U-Boot\r\nok".encode("utf-16-be"), ["U-Boot", "ok"]),
        (b"a\tb\n\n", ["a b", ""]),
        (b"\x1b[", ["["]),
        (b"", []),
    ],
)
def test_only_printable_text_is_left(log: bytes, expected: list[str]) -> None:
    assert texts(log) == expected


@pytest.mark.parametrize(
    "log",
    [
        b"[   12.500] a\n[   14.750] b\n",  # ota-hil
        b"[12.500000 0.000000] a\n[14.750000 2.250000] b\n",  # grabserial
        b"[00:00:12.500] a\r\n[00:00:14.750] b\r\n",  # tio
        b"\x1b[1;30m[00:00:12.500]\x1b[0m a\n[00:00:14.750] b\n",
        b"[2026-12-01 00:00:12.5] a\n[2026-12-01 00:00:14.75] b\n",  # minicom
        b"2026-12-01T00:00:12.5 a\n2026-12-01T00:00:14.75 b\n",
        b"00:00:12.500000 a\n00:00:14.750000 b\n",  # ts
    ],
)
def test_the_times_of_usual_programs_are_read(log: bytes) -> None:
    assert list(lines_of(io.BytesIO(log))) == [Heard(1, 12.5, "a"), Heard(2, 14.75, "b")]


def test_the_times_of_the_kernel_are_not_those_of_the_log() -> None:
    (heard,) = lines_of(io.BytesIO(b"[    2.736850] bcm2835-power: ASB\n"))

    assert heard == Heard(1, None, "[    2.736850] bcm2835-power: ASB")


def test_a_line_without_a_time_between_others_has_none() -> None:
    log = b"[23:59:59.000] a\n\n[00:00:01.000] after midnight\n[00:00:04.000] b\n"

    assert [each.time for each in lines_of(io.BytesIO(log))] == [86399.0, None, 86399.0, 86402.0]


def test_a_line_that_never_ends_is_read_in_pieces_of_the_same_line() -> None:
    pieces = list(lines_of(io.BytesIO(b"x" * 100_000 + b"\nnext\n")))

    assert max(len(each.text) for each in pieces) == 1 << 14
    assert [each.number for each in pieces] == [1] * 7 + [2]


def test_noise_is_read_without_an_error() -> None:
    noise = random.Random(15).randbytes(200_000)

    assert all(each.text.isascii() for each in lines_of(io.BytesIO(noise)))
