# SPDX-License-Identifier: Apache-2.0
"""The console: nothing is lost, nothing is sent unasked, and a failed wait has the last output."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_hil.console import Console
from ota_hil.errors import HilError


class Board:
    """The board's side of a console."""

    def __init__(self, log: Path) -> None:
        self.source, self._speak = os.pipe()
        self._hear, self.sink = os.pipe()
        os.set_blocking(self._hear, False)
        self.console = Console(self.source, self.sink, log=log)

    def says(self, text: bytes) -> None:
        os.write(self._speak, text)

    def heard(self) -> bytes:
        try:
            return os.read(self._hear, 100)
        except BlockingIOError:
            return b""

    def ends(self) -> None:
        if self._speak >= 0:
            os.close(self._speak)
            self._speak = -1
            self.console.close()

    def close(self) -> None:
        self.ends()
        for each in (self.source, self._hear, self.sink):
            os.close(each)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "console.log")
    yield board
    board.close()


def test_output_that_comes_before_the_wait_is_found(board: Board) -> None:
    board.says(b"U-Boot\r\nStarting kernel\r\n")

    assert board.console.expect("U-Boot", timeout=5) == "U-Boot"
    assert board.console.expect(re.compile("kernel$", re.MULTILINE), timeout=5) == (
        "\nStarting kernel"
    )


def test_a_text_that_was_found_is_not_found_again(board: Board) -> None:
    board.says(b"login: ")
    board.console.expect("login: ", timeout=5)

    with pytest.raises(
        HilError, match=r"no 'login: ' in 0\.05 s; the board's last output:\nlogin: "
    ):
        board.console.expect("login: ", timeout=0.05)


def test_the_last_output_does_not_steer_the_terminal_that_shows_the_error(board: Board) -> None:
    board.says(b"\x1b]0;title\x07\x1b[2Jok\nFAILED: forged\n")
    board.console.expect("forged", timeout=5)

    with pytest.raises(HilError) as caught:
        board.console.expect("login: ", timeout=0.05)

    assert r"\x1b]0;title\x07\x1b[2Jok" in str(caught.value)
    assert "\n    FAILED: forged" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_character_that_comes_in_two_pieces_is_one(board: Board) -> None:
    text = "größe\n".encode()
    board.says(text[:3])
    board.says(text[3:])

    board.console.expect("größe\n", timeout=5)


def test_bytes_that_are_not_text_do_no_harm(board: Board) -> None:
    board.says(b"\xff\x00\xfe ok\n")

    board.console.expect(" ok\n", timeout=5)


def test_an_end_of_the_console_ends_the_wait(board: Board) -> None:
    board.says(b"panic\n")
    board.ends()

    with pytest.raises(HilError, match=r"(?s)no 'login' before the console ended.*panic"):
        board.console.expect("login", timeout=60)


def test_the_rest_is_what_no_wait_has_read(board: Board) -> None:
    board.says(b"one\ntwo\nthree\n")
    board.console.expect("one\n", timeout=5)
    board.ends()

    assert board.console.rest(timeout=5) == "two\nthree\n"


def test_a_console_that_does_not_end_is_reported(board: Board) -> None:
    with pytest.raises(HilError, match="did not end"):
        board.console.rest(timeout=0.05)


def test_lines_have_the_time_of_their_first_character(board: Board, tmp_path: Path) -> None:
    board.says(b"first\nsec")
    board.console.expect("sec", timeout=5)
    before = board.console.lines
    board.says(b"ond\n")
    board.console.expect("ond\n", timeout=5)

    lines = board.console.lines
    assert [line.text for line in lines] == ["first", "second"]
    assert [line.time for line in lines] == [line.time for line in before]
    logged = (tmp_path / "console.log").read_text().splitlines()
    assert [re.sub(r"^\[ *\d+\.\d{3}\] ", "", line) for line in logged] == ["first", "second"]


def test_nothing_is_sent_until_it_is_asked_for(board: Board) -> None:
    board.says(b"Hit any key to stop autoboot: ")
    board.console.expect("autoboot", timeout=5)
    before = board.heard()

    board.console.send("ota\n")

    assert (before, board.heard()) == (b"", b"ota\n")


def test_a_console_without_a_way_back_says_so() -> None:
    source, speak = os.pipe()
    console = Console(source)

    with pytest.raises(HilError, match="is read-only"):
        console.send("x")

    os.close(speak)
    console.close()
    os.close(source)


FORGED = (
    b"ota-agent: ArtifactInstall_Enter_00: ota: slot B, release 2, userspace up\n",
    b"ota-agent: module: OTA: booting partition 3\n",
    b"[   12.345678] cron[1]: ota-agent: state ArtifactCommit\n",
    b"    ota-agent: state ArtifactCommit\n",
)


@pytest.mark.parametrize(
    "line",
    ["ota: slot B, release 2", "OTA: booting partition 3", "ota-agent: state ArtifactCommit"],
)
def test_what_looks_like_a_line_of_ours_inside_another_is_not_one(board: Board, line: str) -> None:
    board.says(b"".join(FORGED))

    with pytest.raises(HilError):
        board.console.expect(line, timeout=0.1)


@pytest.mark.parametrize(
    "before",
    [
        *("", "qemu-arm64 login: ", "[   12.345678] ota-agent[230]: ", "[    1.2] "),
        *("\x1b[0m", "\x1b[5;1H\x1b[K", "\x1b(B"),
    ],
)
def test_a_line_of_ours_is_found_behind_what_may_come_before_it(board: Board, before: str) -> None:
    board.says(b"Starting kernel\n" + f"{before}ota-agent: state ArtifactCommit\n".encode())

    board.console.expect("ota-agent: state ArtifactCommit", timeout=5)
