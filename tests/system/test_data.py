# SPDX-License-Identifier: Apache-2.0
"""/data: it grows to the card, keeps what can be kept, and gets its identity back if it is lost."""

import os
import shutil
from pathlib import Path

import pytest

from ota_artifact.layout import Area
from ota_image.cli.main import main
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

BLOCK = 4096
SETTINGS = "[polling]\nupdate = 3600\n"
IDENTITY = "cat /data/etc/machine-id /data/ota/agent.toml; sha256sum /data/etc/dropbear/*key"
KEPT = f"cat /data/kept; {IDENTITY}"


def test_data_is_grown_kept_repaired_and_made_again(arm64: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)
    os.truncate(disk, CARD)
    area = arm64.board.layout.partition("data")
    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.expect("/data: growing it to the end of /dev/mmcblk0", timeout=120)
        board.is_reached()
        board.ssh("echo what a user wrote > /data/kept")
        board.way_in.run("cat >/data/ota/agent.toml; sync", stdin=SETTINGS.encode())
        board.ssh("/usr/lib/ota/second-home save")
        kept, identity = board.ssh(KEPT), board.ssh(IDENTITY)
        assert _size_of_data(board) > area.size * 4
        assert board.ssh("head -n 1 /run/ota/data") == "state=whole\n"
        board.ssh("sync")
        board.qemu.off()

        _garble_descriptors(disk, area)
        board.qemu.on()
        board.expect("/data: is damaged, repairing it", timeout=120)
        board.expect("/data: is repaired; nothing was lost", timeout=120)
        board.is_reached()
        assert board.ssh(KEPT) == kept
        _freeze(board)
        board.qemu.off()

        _set_unknown_feature(disk, area, is_set=True)
        board.qemu.on()
        board.expect("/data: is mounted without a check: e2fsck ends with ", timeout=120)
        board.expect("has unsupported feature", timeout=10)
        board.is_reached()
        assert "growing" not in board.said
        assert board.ssh(KEPT) == kept
        assert "/data is mounted without a check" in board.ssh("ota-agent status")
        board.qemu.off()

        _overwrite(disk, area)
        board.qemu.on()
        board.expect("/data: cannot be repaired, making it again; what was on it", timeout=120)
        board.expect("/data: ota/agent.toml is back, from its second home", timeout=120)
        board.is_reached()
        assert board.ssh(IDENTITY) == identity
        assert board.ssh("cat /data/kept 2>/dev/null || echo gone") == "gone\n"
        assert _size_of_data(board) > area.size * 4


@pytest.mark.full
def test_a_trial_boot_keeps_what_it_cannot_check_and_repairs_nothing(
    arm64: Image, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)
    layout = arm64.board.layout
    _copy(disk, layout.partition("A"), layout.partition("B"))
    area = layout.partition("data")
    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.comes_up_on("A")
        board.ssh("echo what a user wrote > /data/kept; touch /data/ota/agent.toml; sync")
        kept = board.ssh(KEPT)
        _freeze(board)
        board.qemu.off()

        _set_unknown_feature(disk, area, is_set=True)
        _next_boot(disk, "3", is_trial=True)
        board.qemu.on()
        board.comes_up_on("B")
        assert board.variables()["upgrade_available"] == "1"
        assert board.ssh("head -n 1 /run/ota/data") == "state=unchecked\n"
        assert board.ssh(KEPT) == kept
        board.qemu.off()

        _set_unknown_feature(disk, area, is_set=False)
        _garble_descriptors(disk, area)
        _next_boot(disk, "3", is_trial=True)
        board.qemu.on()
        board.comes_up_on("B")
        assert board.ssh("head -n 1 /run/ota/data") == "state=read-only\n"
        assert "a trial boot repairs nothing" in board.said
        assert board.ssh(KEPT) == kept
        board.qemu.off()

        _next_boot(disk, "2", is_trial=False)
        board.qemu.on()
        board.comes_up_on("A")
        assert board.ssh("head -n 1 /run/ota/data") == "state=repaired\n"
        assert board.ssh(KEPT) == kept


def _next_boot(disk: Path, partition: str, *, is_trial: bool) -> None:
    changes = {
        "mender_boot_part": partition,
        "mender_boot_part_hex": partition,
        "upgrade_available": str(int(is_trial)),
        "bootcount": "0",
    }
    words = [f"{name}={value}" for name, value in changes.items()]
    assert main(["env", "set", str(disk), *words]) == 0


def _copy(disk: Path, source: Area, target: Area) -> None:
    with disk.open("r+b") as file:
        for at in range(0, source.size, 1 << 20):
            file.seek(source.offset + at)
            piece = file.read(1 << 20)
            file.seek(target.offset + at)
            file.write(piece)


def _size_of_data(board: Running) -> int:
    """The size of its filesystem [B], after it has grown, which happens in the background."""
    line = board.ssh("while pidof resize2fs >/dev/null; do sleep 1; done; df -k /data | tail -n 1")
    return int(line.split()[1]) << 10


def _freeze(board: Running) -> None:
    """Leave nothing in the journal: its older superblock would come back with it.

    Source: Linux, FIFREEZE in include/uapi/linux/fs.h.
    """
    board.ssh(
        "python3 -c 'import fcntl, os; fcntl.ioctl(os.open(\"/data\", os.O_RDONLY), 0xC0045877)'"
    )


def _set_unknown_feature(disk: Path, area: Area, *, is_set: bool) -> None:
    """Make it a filesystem of a newer e2fsprogs: a compatible feature that this one lacks."""
    with disk.open("r+b") as file:
        file.seek(area.offset + 1024 + 94)
        bits = file.read(1)[0] & ~0x10
        file.seek(area.offset + 1024 + 94)
        file.write(bytes([bits | (0x10 if is_set else 0)]))


def _garble_descriptors(disk: Path, area: Area) -> None:
    """As a card does whose power is cut while it writes."""
    with disk.open("r+b") as file:
        file.seek(area.offset + BLOCK)
        file.write(b"\xa5\x3c\x99\x17" * (BLOCK // 4))


def _overwrite(disk: Path, area: Area) -> None:
    with disk.open("r+b") as file:
        file.seek(area.offset)
        for _ in range((CARD - area.offset) >> 20):
            file.write(b"\xa5" * (1 << 20))
