# SPDX-License-Identifier: Apache-2.0
"""The parts of an image, as files: put together again they are the image."""

import filecmp
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.layout import Layout
from ota_board.board import Extra, plan_of
from ota_board.load import load_board
from ota_image.cli.main import main
from ota_image.disk.compose import Parts, Raw
from ota_image.disk.split import INDEX, Piece, split
from ota_image.errors import ImageError
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.unit.image.disk.small import MIB, composed, ext4, small_board, tree, variables

pytestmark = [
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]


class Case:
    """A composed image of a board, and its parts."""

    def __init__(self, place: Path, name: str, *, has_extra: bool = False) -> None:
        board = small_board(place, name)
        self.layout: Layout = board.layout
        if has_extra:
            storage = replace(board.storage, size=128 * MIB)
            partitions = replace(board.partitions, extra=(Extra("spare", 4 * MIB),))
            self.layout = plan_of(storage, partitions, board.environment)
        (place / "MLO").write_bytes(b"first" * 1000)
        raw = (Raw(0x20000, place / "MLO"),) if board.environment.kind == "raw" else ()
        rootfs = ext4(place / "rootfs.ext4", tree(place / "tree"))
        self.image = composed(
            place, self.layout, Parts(rootfs=rootfs, variables=variables(board), raw=raw)
        )
        self.folder = place / "parts"
        self.pieces: tuple[Piece, ...] = split(self.image, self.layout, raw, self.folder)


@pytest.mark.parametrize(
    ("name", "has_extra"),
    [("qemu-arm64", False), ("qemu-arm64", True), ("beaglebone-black", False),
     ("qemu-x86-64", False)],
)  # fmt: skip
def test_the_parts_written_to_an_empty_disk_give_the_image(
    tmp_path: Path, name: str, has_extra: bool
) -> None:
    case = Case(tmp_path, name, has_extra=has_extra)

    disk = tmp_path / "disk"
    disk.touch()
    os.truncate(disk, case.layout.size)
    with disk.open("r+b") as file:
        for piece in case.pieces:
            data = (case.folder / piece.file).read_bytes()
            assert len(data) == piece.size
            file.seek(piece.offset)
            file.write(data)
    assert filecmp.cmp(disk, case.image, shallow=False)


def test_names_say_what_the_parts_are(tmp_path: Path) -> None:
    case = Case(tmp_path, "beaglebone-black")

    assert [piece.file for piece in case.pieces] == [
        "MBR.bin",
        "MLO-at-0x20000",
        "environment-1.bin",
        "environment-2.bin",
        "1-boot.vfat",
        "2-slot-A.ext4",
        "3-slot-B.ext4",
        "4-data.ext4",
    ]
    assert {path.name for path in case.folder.iterdir()} == {
        INDEX,
        *(piece.file for piece in case.pieces),
    }


def test_the_index_says_where_each_belongs_and_what_its_bytes_are(tmp_path: Path) -> None:
    case = Case(tmp_path, "qemu-arm64")

    index = json.loads((case.folder / INDEX).read_text())
    slot = next(each for each in index["parts"] if each["name"] == "A")
    area = case.layout.partition("A")
    assert index["size"] == case.layout.size
    assert (slot["offset"], slot["size"], slot["number"]) == (area.offset, area.size, 2)
    assert slot["sha256"] == hashlib.sha256((tmp_path / "rootfs.ext4").read_bytes()).hexdigest()


def test_an_empty_part_takes_no_room(tmp_path: Path) -> None:
    case = Case(tmp_path, "qemu-arm64")

    assert (case.folder / "3-slot-B.ext4").stat().st_blocks * 512 < MIB


def test_older_parts_give_way_and_other_folders_stay(tmp_path: Path) -> None:
    case = Case(tmp_path, "qemu-arm64")
    (case.folder / "old").touch()
    split(case.image, case.layout, (), case.folder)
    other = tmp_path / "other"
    other.mkdir()

    with pytest.raises(ImageError, match="other: is not a folder of parts"):
        split(case.image, case.layout, (), other)

    assert not (case.folder / "old").exists()
    assert list(other.iterdir()) == []
    assert list(tmp_path.glob(".parts.*")) == []


@pytest.mark.boot
def test_compose_writes_the_parts_of_the_image_that_it_makes(tmp_path: Path) -> None:
    root, disk, parts = tmp_path / "root", tmp_path / "my.sdimg", tmp_path / "parts"
    (root / "etc").mkdir(parents=True)
    words = ["compose", str(ROOT / "boards" / "qemu-arm64"), "--rootfs", str(root)]

    assert main([*words, "--output", str(disk), "--parts", str(parts)]) == 0

    slot = load_board(ROOT / "boards" / "qemu-arm64").layout.partition("A")
    with disk.open("rb") as file:
        file.seek(slot.offset)
        assert file.read(slot.size) == (parts / "2-slot-A.ext4").read_bytes()
