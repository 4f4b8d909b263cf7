# SPDX-License-Identifier: Apache-2.0
"""Slots whose kernel, initrd or init dies or hangs: each trial is back on the old slot."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.system.images import image_of
from tests.system.running import Running, running
from tests.system.u_boot_cycle import expect_variables, try_b

pytestmark = [
    pytest.mark.full,  # minutes: the board boots twice for each broken slot
    pytest.mark.timeout(3600),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

BOOT = 300.0  # [s]
HANG = 60 + 120 + 30  # [s] boot; until the initrd gives up on userspace; until the watchdog resets
_ENTRY = "/mnt/boot/extlinux/extlinux.conf"


@pytest.fixture(params=["raspberrypi3", "qemu-arm64"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A board that is up on slot A, with the same system in slot B."""
    image = image_of(request.param, tmp_path / "built")
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    layout = image.board.layout
    a, b = layout.partition("A"), layout.partition("B")
    with disk.open("r+b") as file:
        file.seek(a.offset)
        slot = file.read(a.size)
        file.seek(b.offset)
        file.write(slot)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        yield board


def expect_back(board: Running, *, change: str, seen: str, timeout: float = BOOT) -> None:
    """Break slot B, try it, and wait until the board is on slot A again.

    Args:
        change: commands that break the slot at /mnt.
        seen: what the console shows of it.
        timeout: until the board resets [s].
    """
    board.ssh(
        f"B=$(. /etc/ota/board; echo $OTA_SLOT_B); mount -t ext4 $B /mnt; {change}; umount /mnt"
    )
    try_b(board)
    board.expect("OTA: trial boot of partition 3", timeout=BOOT)

    board.expect(seen, timeout=BOOT)

    board.expect("was not committed, rolling back", timeout=timeout)
    board.comes_up_on("A")
    expect_variables(board, upgrade_available="0", mender_boot_part="2", ota_rollback="count 3")


def appends(words: str) -> str:
    return f"sed -i '/^  append /s|$| {words}|' {_ENTRY}"


def starts(script: str) -> str:
    """Commands that make a script the slot's init."""
    return (
        f"printf '#!/bin/sh\\n{script}\\n' >/mnt/etc/broken; chmod 755 /mnt/etc/broken;"
        f" sed -i 's| init=[^ ]*||' {_ENTRY}; {appends('init=/etc/broken')}"
    )


def test_a_trial_that_dies_is_back_on_the_old_slot(board: Running) -> None:
    expect_back(
        board,
        change=starts("echo c >/proc/sysrq-trigger"),
        seen="Kernel panic - not syncing: sysrq triggered crash",
    )
    expect_back(board, change=starts("exit 3"), seen="Attempted to kill init")
    expect_back(
        board,
        change=appends("root=/dev/mmcblk9p9"),
        seen="ota: initrd: no /dev/mmcblk9p9 within 30 s",
    )

    assert "Reboot failed" not in board.said


@pytest.mark.parametrize("board", ["qemu-arm64"], indirect=True)
def test_an_init_that_hangs_is_reset_by_the_watchdog_of_the_initrd(board: Running) -> None:
    assert board.ssh("cat /sys/class/watchdog/watchdog0/state").strip() == "active"
    assert board.ssh("ls /dev/.ota-feeder 2>&1 || true").endswith("No such file or directory\n")

    expect_back(
        board,
        change=starts("echo hangs >/dev/console; while sleep 9; do :; done"),
        seen="hangs",
        timeout=HANG + BOOT,
    )
