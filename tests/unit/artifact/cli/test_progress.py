# SPDX-License-Identifier: Apache-2.0
"""A progress bar, on a terminal only."""

import os
import pty
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Keys
from tests.unit.artifact.cli.process import ROOTFS, SLOW, Process, is_sleeping, wait_until


def all_of(terminal: int) -> bytes:
    """The data until the other end is closed."""
    shown = b""
    with suppress(OSError):  # EIO: it is
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    return shown


def on_a_terminal(folder: Path, *arguments: str | Path) -> tuple[int, bytes]:
    """Run it on a terminal; gives the exit code, and stderr."""
    terminal, end = pty.openpty()
    process = Process(folder, *arguments, stderr=end)
    os.close(end)
    shown = all_of(terminal)
    return process.wait()[0], shown


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((*ROOTFS, "root.img"), b"writing"),
        (("read", "rootfs.mender"), b"reading"),
        (("validate", "rootfs.mender"), b"validating"),
        (("sign", "rootfs.mender", "-k", "K"), b"signing"),
        (("modify", "rootfs.mender", "-n", "v2"), b"writing"),
        (("dump", "rootfs.mender", "--files", "out"), b"unpacking"),
    ],
)
def test_a_bar_moves_on_a_terminal_and_goes_away(
    rootfs: Path, keys: Keys, tmp_path: Path, words: tuple[str, ...], what: bytes
) -> None:
    code, shown = on_a_terminal(tmp_path, *(str(keys.rsa) if w == "K" else w for w in words))

    assert (code, what in shown) == (0, True)
    assert b"\x1b[?25h" in shown
    assert shown.rstrip().endswith(b"\x1b[2K")


def test_no_bar_is_shown_with_no_progress(rootfs: Path, tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, "validate", "rootfs.mender", "--no-progress")

    assert (code, shown) == (0, b"")


def test_no_bar_is_shown_without_a_terminal(rootfs: Path, tmp_path: Path) -> None:
    code, _, err = Process(tmp_path, "validate", "rootfs.mender").wait()

    assert (code, err) == (0, "")


def test_a_terminal_has_its_cursor_back_after_an_interruption(image: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    process = Process(tmp_path, *ROOTFS, image, *SLOW, stderr=end)
    os.close(end)
    wait_until(lambda: is_sleeping(process), "it signs")

    process.process.send_signal(signal.SIGINT)
    shown = all_of(terminal)

    assert process.wait()[0] == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"interrupted; nothing is half written" in shown


def test_a_terminal_is_not_filled_with_an_artifact(image: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    process = Process(tmp_path, *ROOTFS, image, "-o", "-", stdout=end)
    os.close(end)

    code, _, err = process.wait()

    os.close(terminal)
    assert code == 1
    assert "-: stdout is a terminal; redirect it, or name a file with -o" in err
