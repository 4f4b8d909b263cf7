# SPDX-License-Identifier: Apache-2.0
"""Hazards of what is in a slot, each shown by an image whose slot was changed so."""

import gzip
import lzma
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.doctor.examine import examine
from ota_image.doctor.initrd import module_names
from tests.conftest import requires_program
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import VERSION, cpio, files, image, initrd

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
EXTLINUX = "boot/extlinux/extlinux.conf"
APPEND = b"append root=${mender_kernel_root} panic=10"


@pytest.mark.parametrize(
    ("name", "changes", "hazard"),
    [
        ("qemu-arm64", {EXTLINUX: None}, "slot-without-extlinux"),
        ("qemu-arm64", {"boot/vmlinuz": None}, "kernel-missing"),
        ("qemu-arm64", {EXTLINUX: b"initrd /boot/initrd.img\n" + APPEND + b"\n"}, "kernel-missing"),
        ("qemu-arm64", {"boot/initrd.img": None}, "initrd-missing"),
        ("qemu-x86-64", {"boot/vmlinuz": None}, "kernel-missing"),
        ("qemu-arm64", {"boot/vmlinuz": b""}, "kernel-missing"),
        ("qemu-x86-64", {"boot/vmlinuz": b""}, "kernel-missing"),
        ("beaglebone-black", {"boot/dtbs/am335x-boneblack.dtb": None}, "device-tree-missing"),
        ("raspberrypi3", {"boot/dtbs/bcm2837-rpi-3-b-plus.dtb": None}, "device-tree-missing"),
        ("qemu-arm64", {"boot/initrd.img": initrd(("ext4", "mmc_block"))}, "initrd-without-driver"),
        ("qemu-arm64", {"etc/fw_env.config": None}, "fw-env-config-missing"),
        (
            "qemu-arm64",
            {"etc/fw_env.config": b"/dev/mmcblk0 0x400000 0x20000\n"},
            "fw-env-config-differs",
        ),
        (
            "qemu-arm64",
            {"etc/fw_env.config": b"/dev/mmcblk1 0x400000 0x20000\n/dev/mmcblk1 8388608 131072\n"},
            "fw-env-config-differs",
        ),
        ("qemu-arm64", {"etc/fstab": b"# nothing\n"}, "fstab-without-data"),
        ("qemu-arm64", {"etc/fstab": b"/dev/mmcblk0p3 /data ext4 defaults 0 2\n"}, "fstab-differs"),
        (
            "qemu-arm64",
            {
                "etc/fstab": b"LABEL=data /data ext4 defaults 0 2\n"
                b"/dev/mmcblk0p1 /boot/firmware vfat defaults 0 2\n"
            },
            "boot-not-synchronous",
        ),
    ],
)
def test_a_slot_that_lacks_something(
    tmp_path: Path, name: str, changes: dict[str, bytes | None], hazard: str
) -> None:
    board = small_board(tmp_path, name)
    path = image(tmp_path, board, changes)

    found = examine(path, board)

    assert {each.hazard for each in found} == {hazard}


@pytest.mark.parametrize("root", [b"root=/dev/mmcblk0p2", b"root=PARTUUID=1-02", b"quiet"])
def test_a_root_that_is_not_the_slots(tmp_path: Path, root: bytes) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    text = files(board)[EXTLINUX].replace(b"root=${mender_kernel_root}", root)
    path = image(tmp_path, board, {EXTLINUX: text})

    (finding,) = examine(path)

    assert finding.hazard == "root-not-from-slot"


@pytest.mark.parametrize(
    "changes",
    [
        {"boot/initrd.img": b"packed in an unknown way"},
        {
            "boot/initrd.img": initrd(()),
            f"lib/modules/{VERSION}/modules.builtin": b"a/sdhci-pci.ko\nb/ext4.ko\n"
            b"c/crc32c_generic.ko\n",
        },
        {"boot/initrd.img": initrd(()), f"lib/modules/{VERSION}/modules.builtin": b""},
    ],
)
def test_an_initrd_without_hazards(tmp_path: Path, changes: dict[str, bytes]) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board, changes)

    assert examine(path, board) == []


def test_modules_are_found_in_archives_of_every_kind() -> None:
    early = cpio(("kernel/x86/microcode/a.bin",))
    main = cpio(("lib/modules/6.1/kernel/fs/ext4/ext4.ko.xz", "modules/sdhci-pci.ko"))
    wanted = {"ext4", "sdhci_pci"}

    assert module_names(main) == wanted
    assert module_names(early + bytes(300) + gzip.compress(main)) == wanted
    assert module_names(lzma.compress(main)) == wanted
    assert module_names(b"\x02\x21\x4c\x18 lz4") is None
    assert module_names(b"\x1f\x8b damaged") is None
    assert module_names(b"070701" + b"x" * 200) is None


@requires_program("zstd", package="zstd")
def test_modules_are_found_in_zstd() -> None:
    packed = run(("zstd", "-c"), timeout=10, stdin=cpio(("modules/ext4.ko",)))

    assert module_names(packed) == {"ext4"}


def test_an_empty_slot_a_is_one(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    every = dict.fromkeys([*files(board), "etc/os-release", "etc/mender/artifact_info"])
    path = image(tmp_path, board, every)
    for name in ("/etc/mender/artifact_info", "/etc/os-release"):
        run(("debugfs", "-w", "-R", f"rm {name}", f"{path}?offset={28 << 20}"), timeout=10)
    for name in ("/etc/mender", "/etc"):
        run(("debugfs", "-w", "-R", f"rmdir {name}", f"{path}?offset={28 << 20}"), timeout=10)

    (finding,) = examine(path, board)

    assert (finding.hazard, finding.place) == ("slot-without-kernel", "slot A")
