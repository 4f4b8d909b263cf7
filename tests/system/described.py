# SPDX-License-Identifier: Apache-2.0
"""Holds hil.yaml against the console of a board that really boots, and against its programs.

A start shows that the milestones are right. Deaths do not come in a good start, so the programs
that print them must have their words: a typo would make them useless without anybody noticing.
"""

import io
import time
from collections.abc import Mapping
from pathlib import Path

from ota_artifact.cli.main import main
from ota_board import grub
from ota_board.board import Board
from ota_board.hil import Hil, Pattern, Printer
from ota_board.load_hil import load_hil
from ota_hil.saved_log import lines_of
from ota_hil.starts import findings, starts_of
from ota_image.build import Built
from ota_image.hardware.kernel_image import unpacked
from tests.house.tree import ROOT
from tests.system.running import Running

_NAMES = ("ota: trial: ", "ota: /data: ", "ota: ", "ota-agent: ")
"""What the scripts and the agent put before each line, in one place."""
_SCRIPTS = (
    ROOT / "images" / "overlay",
    ROOT / "tools" / "agent" / "system",
    ROOT / "tools" / "image" / "src" / "ota_image" / "rootfs",
)


def hil_of(board: Board) -> Hil:
    """The facts of a board of ours."""
    found = load_hil(ROOT / "boards" / board.name, board.bootloader.kind)
    assert found
    return found


def expect_a_good_start(board: Running, of: Board, *, timeout: float = 300.0) -> None:
    """Wait until the only start since power-on has all milestones, in order; it has no death."""
    hil = hil_of(of)
    end = time.monotonic() + timeout
    while True:
        (start,) = starts_of(lines_of(io.BytesIO(board.said.encode())), hil)
        wrong = findings(start, hil)
        if not wrong:
            return
        assert {each.kind for each in wrong} == {"missing"}, wrong
        assert time.monotonic() < end, wrong
        time.sleep(0.5)


def typos(hil: Hil, programs: Mapping[Printer, bytes]) -> list[str]:
    """The words of patterns that the programs that print them do not have, a line each."""
    printed = [(each.pattern, each.by) for each in hil.milestones]
    printed += [(each.pattern, each.by) for each in hil.deaths]
    return [
        f"{pattern.text!r}: {by} does not print {word!r}"
        for pattern, by in printed
        if by in programs
        for word in _words(pattern)
        if word.encode() not in programs[by]
    ]


def programs_of(
    board: Board, built: Built, u_boot: Path | None, folder: Path
) -> dict[Printer, bytes]:
    """The programs of an image that print something, as bytes.

    Args:
        u_boot: the folder of its build; None for a board with GRUB, whose kernel we cannot unpack.
        folder: for a file.
    """
    if u_boot is None:
        return {"bootloader": grub.configuration(board).encode()}
    kernel = folder / "vmlinuz"
    assert main(["cp", f"{built.artifact}:/boot/vmlinuz", str(kernel)]) == 0
    parts = (u_boot / name for name in ("u-boot.bin", "u-boot.img"))
    found: dict[Printer, bytes] = {
        "bootloader": b"".join(path.read_bytes() for path in parts if path.exists()),
        "linux": unpacked(kernel.read_bytes()),
    }
    if (u_boot / "MLO").exists():
        found["spl"] = (u_boot / "MLO").read_bytes()
    return found


def scripts() -> bytes:
    """What prints the lines of the system: the scripts of the images, and the initrd's."""
    paths = [path for folder in _SCRIPTS for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in paths if path.suffix in ("", ".sh"))


def agent() -> bytes:
    """The source of the agent."""
    paths = (ROOT / "tools" / "agent" / "src").rglob("*.py")
    return b"".join(path.read_bytes() for path in paths)


def _words(pattern: Pattern) -> list[str]:
    """The parts that are long enough to say something, without the name that begins each line."""
    parts = list(pattern.parts)
    for name in _NAMES:
        parts[0] = parts[0].removeprefix(name)
    return [part for part in parts if len(part) > 3]
