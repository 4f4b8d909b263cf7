# SPDX-License-Identifier: Apache-2.0
"""Hazards of a slot's kernel, each shown by an image whose slot was changed so."""

import gzip
import lzma
from pathlib import Path

import pytest

from ota_image.doctor.examine import examine
from ota_image.hardware.kernel_image import kernel_version
from tests.conftest import requires_program
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import VERSION, files, image

pytestmark = [
    pytest.mark.boot,
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
EXTLINUX = "boot/extlinux/extlinux.conf"
DEP = f"lib/modules/{VERSION}/modules.dep"
BANNER = b"\0Linux version 6.1.0-2 (builder@host) (gcc 12)"


def test_a_kernel_of_another_version_that_stays_in_a_panic_and_cannot_mount_a_vfat(
    tmp_path: Path,
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    dep = files(board)[DEP].replace(b"nls_cp437", b"nls_ascii")
    text = files(board)[EXTLINUX].replace(b" panic=10", b"")
    path = image(tmp_path, board, {"boot/vmlinuz": BANNER, DEP: dep, EXTLINUX: text})

    found = {each.hazard: each.cause for each in examine(path, board)}

    assert set(found) == {"kernel-without-modules", "panic-without-reset", "vfat-without-driver"}
    assert f"it is 6.1.0-2, the modules are for {VERSION}" in found["kernel-without-modules"]
    assert found["vfat-without-driver"].startswith("nls_cp437 is neither")


def test_a_panic_that_the_kernels_configuration_ends(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    text = files(board)[EXTLINUX].replace(b" panic=10", b" panic=0")
    config = {f"boot/config-{VERSION}": b"CONFIG_PANIC_TIMEOUT=5\n"}
    path = image(tmp_path, board, {EXTLINUX: text, **config})

    assert examine(path, board) == []


def test_a_panic_that_u_boots_watchdog_ends(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    text = files(board)[EXTLINUX].replace(b" panic=10", b"")

    assert examine(image(tmp_path, board, {EXTLINUX: text}), board) == []


def test_versions_are_found_in_kernels_of_every_kind() -> None:
    x86 = bytearray(0x400)
    x86[0x202:0x206], x86[0x20E:0x210] = b"HdrS", (0x100).to_bytes(2, "little")
    x86[0x300:0x30C] = b"6.1.0-2-amd6"

    assert kernel_version(BANNER) == "6.1.0-2"
    assert kernel_version(b"decompressor" + gzip.compress(BANNER) + b"tail") == "6.1.0-2"
    assert kernel_version(bytes(x86)) == "6.1.0-2-amd6"
    assert kernel_version(b"MZ" + lzma.compress(BANNER)) == "6.1.0-2"
    for nothing in (b"Linux version %s", b"\x1f\x8b\x08 damaged", b""):
        assert kernel_version(nothing) == ""
