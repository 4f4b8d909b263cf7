# SPDX-License-Identifier: Apache-2.0
"""The cycle of every board with U-Boot, from the factory to a committed update."""

import json
import re
import shutil
from pathlib import Path

from ota_board.board import Board
from ota_board.environment import Copy, decode
from tests.boot.machine import TRIAL_OF_B
from tests.system.described import expect_a_good_start, hil_of, programs_of, typos
from tests.system.images import Image
from tests.system.running import Running, running


def go_through(image: Image, folder: Path) -> None:
    """A blank slot, a trial without a commit, one that is committed; resets and power cuts.

    Args:
        folder: for the working copy of the disk.
    """
    programs = programs_of(image.board, image.built, image.firmware.parent, folder)
    assert typos(hil_of(image.board), programs) == []
    disk = folder / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        expect_a_good_start(board, image.board)
        expect_variables(board, mender_saveenv_canary="1", mender_boot_part="2", bootcount="0")
        expect_kernel(board, image)
        expect_bootloader(board, "ota_bootloader_version=U-Boot 20", "ota_boot_logic=1")

        try_b(board)  # which is empty, as from the factory
        board.expect("partition 3 does not load", timeout=120)
        board.comes_up_on("A")
        expect_variables(board, upgrade_available="0", mender_boot_part="2", ota_rollback="load 3")

        device = image.board.layout.node("A"), image.board.layout.node("B")
        board.ssh("cat {} > {} && sync".format(*device), timeout=600)
        try_b(board)
        board.comes_up_on("B")
        expect_variables(board, upgrade_available="1", bootcount="1")
        board.qemu.reset()
        board.expect("was not committed, rolling back", timeout=120)
        board.comes_up_on("A")
        expect_variables(board, upgrade_available="0", mender_boot_part="2", ota_rollback="count 3")

        try_b(board)
        board.comes_up_on("B")
        commit(board)
        seen_by_linux = board.variables()
        board.qemu.off()
        first, second = copies(image.board, disk)
        assert first
        assert second
        assert first.variables == second.variables == seen_by_linux

        board.qemu.on()
        board.comes_up_on("B")
        board.restart()
        board.comes_up_on("B")
        expect_variables(board, upgrade_available="0", mender_boot_part="3", bootcount="0")


def try_b(board: Running) -> None:
    """Ask for a trial boot of slot B, and reboot."""
    board.set(**TRIAL_OF_B)
    board.restart()


def commit(board: Running) -> None:
    """Commit the running slot; written twice, so that both copies have it."""
    for _ in range(2):
        board.set(upgrade_available="0", bootcount="0")


def expect_variables(board: Running, **wanted: str) -> None:
    """Compare the environment that Linux reads with the expected one."""
    found = board.variables()
    assert {name: found.get(name) for name in wanted} == wanted


def expect_kernel(board: Running, image: Image) -> None:
    """Hold the kernel that runs against the only one in the list of software."""
    listed = json.loads(image.built.software.read_text("utf-8"))["packages"]
    kernels = [each["name"] for each in listed if each["name"].startswith("linux-image-")]
    assert kernels == [f"linux-image-{board.ssh('uname -r').strip()}"]


def expect_bootloader(board: Running, *wanted: str) -> None:
    """Compare what the inventory says of the bootloader with the beginnings of its lines.

    The status says it too.
    """
    lines = board.ssh("/usr/share/ota/inventory/bootloader-version").splitlines()
    assert len(lines) == len(wanted)
    assert all(map(str.startswith, lines, wanted)), lines
    said = board.ssh("ota-agent status")
    assert re.search(r"^The bootloader .*\bboot logic 1$", said, re.MULTILINE), said


def copies(board: Board, disk: Path) -> tuple[Copy | None, ...]:
    """Both copies of the environment, as they are on a disk."""
    raw: list[bytes] = []
    with disk.open("rb") as file:
        for area in board.layout.environment:
            file.seek(area.offset)
            raw.append(file.read(area.size))
    return tuple(decode(each, is_redundant=True) for each in raw)
