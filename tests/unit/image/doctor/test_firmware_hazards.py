# SPDX-License-Identifier: Apache-2.0
"""Hazards of what starts U-Boot and of how it was built, each shown by an image broken so."""

from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import image, u_boot
from tests.unit.image.doctor.test_disk_hazards import dd

pytestmark = [
    pytest.mark.boot,
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
CONFIG = (ROOT / "boards" / "raspberrypi3" / "boot" / "config.txt").read_bytes()


def put(path: Path, name: str, data: bytes) -> None:
    """Copy a file onto the boot partition."""
    file = path.with_name("copied")
    file.write_bytes(data)
    run(("mcopy", "-o", "-i", f"{path}@@24M", file, f"::/{name}"), timeout=10)


def test_a_u_boot_of_another_build_that_lacks_what_it_needs(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board)
    binary = u_boot(board) + b"\0Hit any key to stop autoboot: %2d \0"
    for name in (b"sysboot\0", b"saveenv\0", b"WDT:   "):
        assert name in binary
        binary = binary.replace(name, b"x" * (len(name) - 1) + name[-1:])
    dd(path, 0x20000, b"\0U-Boot SPL 2022.04 \0")
    dd(path, 0x60000, binary)

    found = examine(path, board)

    assert sorted(each.hazard for each in found) == [
        "spl-of-another-u-boot",
        "u-boot-stops-at-any-key",
        "u-boot-without-command",
        "u-boot-without-command",
        "u-boot-without-watchdog",
    ]
    assert {"CMD_SYSBOOT", "CMD_SAVEENV"} <= {each.remedy.split()[-1] for each in found}


def test_a_u_boot_that_is_too_old_to_arm_the_watchdog_of_a_raspberry_pi(tmp_path: Path) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    path = image(tmp_path, board)
    put(path, "u-boot.bin", u_boot(board).replace(b"\0bcm2835_wdt\0", b"\0"))

    assert [each.hazard for each in examine(path, board)] == ["u-boot-without-watchdog"]


def test_without_a_delay_no_key_stops_it(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board)
    binary = u_boot(board).replace(b"\0bootcmd=", b"\0bootdelay=-2\0bootcmd=", 1)
    dd(path, 0x60000, binary + b"\0Hit any key to stop autoboot: %2d \0")

    assert examine(path, board) == []


def test_a_firmware_that_starts_a_kernel_and_an_environment_in_a_file(tmp_path: Path) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    path = image(tmp_path, board)

    put(path, "config.txt", CONFIG)
    assert examine(path, board) == []

    put(path, "uboot.env", bytes(16384))
    put(path, "kernel8.img", b"MZ Linux")
    for line in (b"kernel=kernel8.img", b"# the default"):
        put(path, "config.txt", CONFIG.replace(b"kernel=u-boot.bin", line))
        found = [each.hazard for each in examine(path, board)]
        assert found == ["environment-in-fat", "firmware-bypasses-u-boot"]


@pytest.mark.parametrize("name", ["bootcode.bin", "bcm2710-rpi-3-b.dtb"])
def test_firmware_that_a_user_renamed_is_missed(tmp_path: Path, name: str) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    path = image(tmp_path, board, u_boot_tree=b"", boot={"/config.txt": CONFIG})
    run(("mren", "-i", f"{path}@@24M", f"::/{name}", "::/old.dtb"), timeout=10)

    [found] = examine(path, board)

    assert found.hazard == "firmware-missing"
    assert found.place == f"boot partition: /{name}"
    assert "old.dtb" in found.cause.lower()
