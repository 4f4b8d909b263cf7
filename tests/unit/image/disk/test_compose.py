# SPDX-License-Identifier: Apache-2.0
"""What is on a composed image."""

import errno
import json
import os
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.partitions import read_table
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.layout import Area, Layout, from_json
from ota_artifact.run import run
from ota_board.board import Board, Extra, plan_of
from ota_board.environment import decode
from ota_image.disk.boot import Content
from ota_image.disk.compose import Parts, Raw, compose
from ota_image.errors import ImageError
from tests.conftest import requires_program
from tests.unit.image.disk.small import (
    MIB,
    SLOT,
    composed,
    ext4,
    quiet,
    small_board,
    tree,
    variables,
)

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
    requires_program("fakeroot", package="fakeroot"),
]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return small_board(tmp_path, "qemu-arm64")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    return ext4(tmp_path / "rootfs.ext4", tree(tmp_path / "tree"))


def read(image: Path, area: Area) -> bytes:
    with image.open("rb") as file:
        file.seek(area.offset)
        return file.read(area.size)


def table(image: Path) -> list[dict[str, object]]:
    said = json.loads(run(("sfdisk", "--json", image), timeout=10))
    entries: list[dict[str, object]] = said["partitiontable"]["partitions"]
    return entries


def test_slot_a_is_the_given_filesystem_byte_by_byte(
    tmp_path: Path, board: Board, rootfs: Path
) -> None:
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))

    assert read(image, board.layout.partition("A")) == rootfs.read_bytes()


def test_slot_b_data_and_extra_partitions_are_sound_and_fill_their_partitions(
    tmp_path: Path, board: Board, rootfs: Path
) -> None:
    partitions = replace(board.partitions, extra=(Extra("spare", 2 * MIB), Extra("logs", 4 * MIB)))
    storage = replace(board.storage, size=128 * MIB)
    layout = plan_of(storage, partitions, board.environment)

    image = composed(tmp_path, layout, Parts(rootfs=rootfs, variables=variables(board)))

    for name in ("A", "B", "spare", "logs", "data"):
        area = layout.partition(name)
        filesystem = ExtFilesystem(image, area.offset, area.size)
        filesystem.check()
        assert filesystem._superblock().size == area.size


def test_both_copies_of_the_environment_are_valid_from_the_factory_on(
    tmp_path: Path, board: Board, rootfs: Path
) -> None:
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))

    copies = [decode(read(image, area), is_redundant=True) for area in board.layout.environment]
    assert [copy.flag for copy in copies if copy] == [1, 0]
    assert [copy.variables for copy in copies if copy] == [variables(board)] * 2
    assert "mender_saveenv_canary" not in variables(board)


def test_the_boot_partition_has_the_given_files_and_the_layout(
    tmp_path: Path, board: Board, rootfs: Path
) -> None:
    (tmp_path / "config.txt").write_text("kernel=u-boot.bin\n")
    files: dict[str, Content] = {
        "/config.txt": tmp_path / "config.txt",
        "/EFI/BOOT/a long name.efi": b"EFI",
    }

    image = composed(
        tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board), boot=files)
    )

    area = board.layout.partition("boot")
    boot = FatFilesystem(image, area.offset, area.size)
    boot.check()
    boot.read_file("/EFI/BOOT/a long name.efi", tmp_path / "efi")
    boot.read_file("/config.txt", tmp_path / "config")
    boot.read_file("/layout.json", tmp_path / "layout")
    assert (tmp_path / "efi").read_bytes() == b"EFI"
    assert (tmp_path / "config").read_text() == "kernel=u-boot.bin\n"
    assert from_json((tmp_path / "layout").read_bytes()) == board.layout


def test_firmware_stands_where_the_rom_looks(tmp_path: Path, rootfs: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    (tmp_path / "MLO").write_bytes(b"MLO" * 1000)
    raw = (Raw(0x20000, tmp_path / "MLO"), Raw(0x40000, tmp_path / "MLO"))

    image = composed(
        tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board), raw=raw)
    )

    data = image.read_bytes()
    assert data[0x20000 : 0x20000 + 3000] == data[0x40000 : 0x40000 + 3000] == b"MLO" * 1000


@pytest.mark.parametrize("kind", ["mbr", "gpt"])
def test_the_table_is_the_layout(tmp_path: Path, board: Board, rootfs: Path, kind: str) -> None:
    storage = replace(board.storage, table="mbr" if kind == "mbr" else "gpt")
    layout = plan_of(storage, board.partitions, board.environment)

    image = composed(tmp_path, layout, Parts(rootfs=rootfs, variables=variables(board)))

    found = read_table(image).partitions
    assert [(each.number, each.offset, each.size) for each in found] == [
        (area.number, area.offset, area.size) for area in layout.partitions
    ]
    if kind == "mbr":
        assert [each.type for each in found] == ["0c", "83", "83", "83"]
        assert [entry.get("bootable") for entry in table(image)] == [True, None, None, None]
    else:
        assert [each.label for each in found] == ["boot", "A", "B", "data"]
        assert found[0].type == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def test_a_folder_becomes_a_root_filesystem_of_the_slots_size(tmp_path: Path, board: Board) -> None:
    folder = tree(tmp_path / "tree", {"bin/su": b"su"})
    (folder / "bin/su").chmod(0o4755)

    image = composed(tmp_path, board.layout, Parts(rootfs=folder, variables=variables(board)))

    area = board.layout.partition("A")
    slot = ExtFilesystem(image, area.offset, area.size)
    slot.check()
    slot.read_file("/etc/os-release", tmp_path / "release")
    assert (tmp_path / "release").read_bytes() == b'PRETTY_NAME="Test 1"\n'
    assert slot._superblock().size == SLOT


def test_data_holds_the_given_files_as_roots(tmp_path: Path, board: Board, rootfs: Path) -> None:
    data = tree(tmp_path / "data", {"ota/device_type": b"device_type=x\n"})
    if os.geteuid() == 0:
        os.chown(data / "ota/device_type", 1000, 1000)

    image = composed(
        tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board), data=data)
    )

    offset = board.layout.partition("data").offset
    argv = ("debugfs", "-R", "stat /ota/device_type", f"{image}?offset={offset}")
    assert b"User:     0   Group:     0" in run(argv, timeout=10)


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, board: Board, rootfs: Path) -> None:
    parts = Parts(rootfs=rootfs, variables=variables(board), boot={"/a.txt": b"a"})

    for name in ("one", "two"):
        compose(board.layout, parts, tmp_path / name, progress=quiet)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one.bmap").read_bytes() == (tmp_path / "two.bmap").read_bytes()


def test_what_is_not_written_is_a_hole(tmp_path: Path, board: Board, rootfs: Path) -> None:
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))

    assert image.stat().st_size == 64 * MIB
    assert image.stat().st_blocks * 512 < 8 * MIB


def refusal(layout: Layout, parts: Parts, folder: Path) -> str:
    """What composing says, leaving nothing behind."""
    before = sorted(folder.iterdir())
    with pytest.raises(ImageError) as caught:
        compose(layout, parts, folder / "test.sdimg", progress=quiet)
    assert sorted(folder.iterdir()) == before
    return str(caught.value)


def test_a_root_filesystem_larger_than_the_slot_is_refused_with_both_sizes(
    tmp_path: Path, board: Board
) -> None:
    large = ext4(tmp_path / "large.ext4", size=12 * MIB)

    said = refusal(board.layout, Parts(rootfs=large, variables=variables(board)), tmp_path)

    assert "12 MiB do not fit into a slot of 8 MiB" in said


def test_a_folder_larger_than_the_slot_is_refused(tmp_path: Path, board: Board) -> None:
    folder = tree(tmp_path / "tree", {"large": os.urandom(9 * MIB)})

    said = refusal(board.layout, Parts(rootfs=folder, variables=variables(board)), tmp_path)

    assert "A: 8 MiB are too small for its files" in said


@pytest.mark.parametrize("content", [b"", b"MZ" * 4096, b"\x1f\x8b" + bytes(2000)])
def test_a_file_that_is_not_a_root_filesystem_is_refused(
    tmp_path: Path, board: Board, content: bytes
) -> None:
    (tmp_path / "rootfs").write_bytes(content)

    said = refusal(
        board.layout, Parts(rootfs=tmp_path / "rootfs", variables=variables(board)), tmp_path
    )

    assert "a root filesystem must be ext4, a tar or a folder" in said


def test_a_truncated_root_filesystem_is_refused(tmp_path: Path, board: Board, rootfs: Path) -> None:
    os.truncate(rootfs, SLOT - MIB)

    assert "truncated" in refusal(
        board.layout, Parts(rootfs=rootfs, variables=variables(board)), tmp_path
    )


def test_missing_files_are_named(tmp_path: Path, board: Board, rootfs: Path) -> None:
    missing = tmp_path / "missing"

    said = [
        refusal(board.layout, parts, tmp_path)
        for parts in (
            Parts(rootfs=missing),
            Parts(rootfs=rootfs, raw=(Raw(0x20000, missing),)),
            Parts(rootfs=rootfs, boot={"/a": missing}),
            Parts(rootfs=rootfs, data=missing),
        )
    ]

    assert all(f"{missing}: no such file" in each for each in said)


@pytest.mark.parametrize(
    ("offset", "size", "said"),
    [
        (0, 512, "table MBR"),
        (0x3FFE00, 1024, "environment environment 1"),
        (0x10000, 0x20000, "reserved MLO"),
        (0x20000, 0x20001, "make the area larger"),
        (23 * MIB, 2 * MIB, "partition boot"),
        (12 * MIB + 512, 512, "second home of the device's identity (0xc00000 to 0xc10000)"),
        (22 * MIB, MIB + 512, "second home of the device's identity (0x1700000"),
        (64 * MIB - 512, 1024, "do not fit onto the disk"),
    ],
)
def test_raw_firmware_on_something_else_is_refused(
    tmp_path: Path, rootfs: Path, offset: int, size: int, said: str
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    (tmp_path / "raw").write_bytes(b"x" * size)
    raw = (Raw(offset, tmp_path / "raw"),)

    assert said in refusal(board.layout, Parts(rootfs=rootfs, raw=raw), tmp_path)


def test_boot_files_that_do_not_fit_are_refused(tmp_path: Path, board: Board, rootfs: Path) -> None:
    files = {f"/{number}": bytes(MIB * 3 // 2) for number in range(3)}

    said = refusal(
        board.layout, Parts(rootfs=rootfs, variables=variables(board), boot=files), tmp_path
    )

    assert "make partitions.boot larger" in said


def test_two_boot_files_of_one_name_are_refused(tmp_path: Path, board: Board, rootfs: Path) -> None:
    files = {"/config.txt": b"a", "/CONFIG.TXT": b"b"}

    assert "one name" in refusal(board.layout, Parts(rootfs=rootfs, boot=files), tmp_path)


def test_a_failure_half_way_leaves_the_older_image(
    tmp_path: Path, board: Board, rootfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))
    before = sorted(tmp_path.iterdir()), image.read_bytes()
    monkeypatch.setattr("ota_image.disk.mkfs._TIMEOUT", 0.0)

    with pytest.raises(ProgramError):
        compose(
            board.layout, Parts(rootfs=rootfs, variables=variables(board)), image, progress=quiet
        )

    assert (sorted(tmp_path.iterdir()), image.read_bytes()) == before


@pytest.mark.boot
def test_the_same_archive_gives_the_same_bytes(tmp_path: Path, board: Board) -> None:
    folder = tree(tmp_path / "tree", {f"usr/lib/{number}": b"x" * number for number in range(50)})
    with tarfile.open(tmp_path / "rootfs.tar", "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, path.relative_to(folder))

    for name in ("one", "two"):
        parts = Parts(rootfs=tmp_path / "rootfs.tar", variables=variables(board), data=folder)
        compose(board.layout, parts, tmp_path / name, progress=quiet)
        time.sleep(2.1)  # vfat counts in steps of two seconds

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    slot = ExtFilesystem(tmp_path / "one", board.layout.partition("A").offset)
    slot.check()


def test_where_every_file_has_a_name_it_begins_with_a_dot_and_goes_with_a_failure(
    tmp_path: Path, board: Board, rootfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr("ota_image.disk.whole_file._require_real_paths", refuse)
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))
    before = sorted(tmp_path.iterdir()), image.read_bytes()
    monkeypatch.setattr("ota_image.disk.mkfs._TIMEOUT", 0.0)

    with pytest.raises(ProgramError):
        compose(board.layout, Parts(rootfs=rootfs), image, progress=quiet)

    assert (sorted(tmp_path.iterdir()), image.read_bytes()) == before
    (tmp_path / "usual").touch()
    assert image.stat().st_mode == (tmp_path / "usual").stat().st_mode
