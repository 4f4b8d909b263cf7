# SPDX-License-Identifier: Apache-2.0
"""The doctor on devices: on a new one it finds what its owner must decide; then on damaged ones."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.system.images import Image, image_of
from tests.system.running import Running, running

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("ssh", package="openssh-client"),
]

UNDECIDED = {"no-server", "no-verification-keys", "no-health-checks"}
"""Findings that the image leaves to the device's owner."""


def hazards(board: Running) -> dict[str, str]:
    """The severity of each finding, by its name."""
    said = board.ssh("ota-agent doctor --json; echo $?")
    text, _, code = said.strip().rpartition("\n")
    found = {each["hazard"]: each["severity"] for each in json.loads(text)["findings"]}
    assert code == str(int("error" in found.values()))
    return found


def new(found: dict[str, str]) -> dict[str, str]:
    return {name: found[name] for name in found.keys() - UNDECIDED}


def disk_of(image: Image, folder: Path) -> Path:
    disk = folder / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    return disk


def is_up(board: Running) -> None:
    board.comes_up_on("A")
    board.agent_is_up()


@requires_program("qemu-system-aarch64", package="qemu-system-arm")
@requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu")
def test_a_device_with_u_boot(arm64: Image, tmp_path: Path) -> None:
    with running(arm64.board, disk_of(arm64, tmp_path), arm64.firmware, arm64.key) as board:
        is_up(board)
        assert set(hazards(board)) == UNDECIDED

        first, _ = arm64.board.layout.environment
        board.ssh(f"dd if=/dev/urandom of=/dev/mmcblk0 bs=512 seek={first.offset // 512} count=8")
        assert new(hazards(board)) == {"environment-copy-damaged": "warning"}
        board.ssh("for i in 1 2; do echo bootlimit=1 | fw_setenv -s -; done")
        assert new(hazards(board)) == {}

        board.ssh("mkdir -p /tmp/b && mke2fs -q -F /dev/mmcblk0p3 && mount /dev/mmcblk0p3 /tmp/b")
        assert new(hazards(board)) == {"passive-slot-mounted": "error"}
        board.ssh("umount /tmp/b; mount -t tmpfs data /data")
        assert new(hazards(board)) == {"data-in-memory": "error", "device-type-missing": "error"}
        board.ssh("umount /data")

        board.set(mender_boot_part="3", mender_boot_part_hex="3")
        assert new(hazards(board)) == {"next-slot-not-running": "error"}
        board.set(mender_boot_part="2", mender_boot_part_hex="2", upgrade_available="1")
        assert new(hazards(board)) == {"trial-of-nobody": "error"}
        board.set(upgrade_available="0", mender_saveenv_canary="")
        assert new(hazards(board)) == {"canary-missing": "error"}


@requires_program("qemu-system-x86_64", package="qemu-system-x86")
def test_a_device_with_grub(tmp_path: Path) -> None:
    image = image_of("qemu-x86-64", tmp_path)
    with running(image.board, disk_of(image, tmp_path), image.firmware, image.key) as board:
        is_up(board)
        before = {"watchdog-missing": "warning"}  # QEMU's q35 has none by default
        assert new(hazards(board)) == before

        folder = "/boot/firmware/grub-mender-grubenv"
        board.ssh("mount -o remount,rw /boot/firmware")
        assert new(hazards(board)) == {**before, "boot-writable": "warning"}
        board.ssh(f"sed -i s/editing=0/editing=1/ {folder}/mender_grubenv2/lock")
        board.ssh("mount -o remount,ro /boot/firmware")
        assert new(hazards(board)) == {**before, "grub-copy-locked": "warning"}
        board.ssh("umount /boot/firmware")
        found = new(hazards(board))
        assert found["boot-not-mounted"] == found["grub-environment-missing"] == "error"
