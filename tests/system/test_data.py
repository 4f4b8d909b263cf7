# SPDX-License-Identifier: Apache-2.0
"""/data: it grows to the card, and is repaired or made again, each with a message."""

import os
import shutil
from pathlib import Path

import pytest

from ota_board.layout import Area
from tests.conftest import requires_program
from tests.system.images import Image
from tests.system.running import Running, running

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

CARD = 1 << 30
"""Twice the size of the image [B]; QEMU's card has a power of two."""

KEPT = "cat /data/etc/machine-id /data/kept; ls -i /data/etc/dropbear; cat /data/mender/device_type"


def test_data_is_grown_kept_repaired_and_made_again(arm64: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)
    os.truncate(disk, CARD)
    area = arm64.board.layout.partition("data")
    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.expect("/data: growing it to the end of /dev/mmcblk0", timeout=120)
        board.is_reached()
        board.ssh("echo what a user wrote > /data/kept; sync")
        kept = board.ssh(KEPT)
        assert _size_of_data(board) > area.size * 4
        assert "device_type=qemu-arm64" in kept
        board.ssh("sync")
        board.qemu.off()

        _spoil_superblock(disk, area)
        board.qemu.on()
        board.expect("/data: is damaged, repairing it", timeout=120)
        board.expect("/data: is repaired", timeout=120)
        board.is_reached()
        assert "growing" not in board.said
        assert board.ssh(KEPT) == kept
        board.qemu.off()

        _overwrite(disk, area)
        board.qemu.on()
        board.expect("/data: cannot be repaired, making it again; what was on it", timeout=120)
        board.is_reached()
        assert board.ssh("ls /data") != ""
        assert board.ssh("cat /data/kept 2>/dev/null || echo gone") == "gone\n"


def _size_of_data(board: Running) -> int:
    """The size of its filesystem [B], after it has grown, which happens in the background."""
    line = board.ssh("while pidof resize2fs >/dev/null; do sleep 1; done; df -k /data | tail -n 1")
    return int(line.split()[1]) << 10


def _spoil_superblock(disk: Path, area: Area) -> None:
    """Damage data that e2fsck repairs only if asked; it has a copy of that data."""
    with disk.open("r+b") as file:
        file.seek(area.offset + 1024)
        file.write(b"\xa5" * 1024)


def _overwrite(disk: Path, area: Area) -> None:
    with disk.open("r+b") as file:
        file.seek(area.offset)
        for _ in range((CARD - area.offset) >> 20):
            file.write(b"\xa5" * (1 << 20))
