# SPDX-License-Identifier: Apache-2.0
"""Filesystems are recognised by their magic numbers, and others refused by name."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.filesystem import open_filesystem, recognise
from ota_artifact.image.vfat import FatFilesystem
from tests.unit.artifact.image.conftest import MIB


@pytest.mark.parametrize(
    ("offset", "magic", "name"),
    [
        (0, b"hsqs", "squashfs"),
        (0, b"\x31\x18\x10\x06", "ubifs"),
        (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
        (0x10040, b"_BHRfS_M", "btrfs"),
        (0, b"\x1f\x8b\x08", "gzip; decompress it first"),
    ],
)
def test_other_filesystems_are_refused_by_name(
    tmp_path: Path, offset: int, magic: bytes, name: str
) -> None:
    image = tmp_path / "image"
    image.write_bytes((bytes(offset) + magic).ljust(MIB, b"\0"))

    with pytest.raises(ArtifactError, match=f"{name}.*only ext4 and vfat are supported"):
        open_filesystem(image)


@pytest.mark.parametrize("size", [0, 100, MIB])
def test_nothing_is_refused(tmp_path: Path, size: int) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(size))

    with pytest.raises(
        ArtifactError, match="no filesystem found; only ext4 and vfat are supported"
    ):
        open_filesystem(image)


def test_filesystem_larger_than_its_partition_is_refused(ext4: Path) -> None:
    with pytest.raises(ArtifactError, match="and the image only 2097152 of them; it is truncated"):
        open_filesystem(ext4, size=2 * MIB)


def test_truncated_ext4_is_refused(ext4: Path) -> None:
    with ext4.open("r+b") as file:
        file.truncate(3 * MIB)

    with pytest.raises(ArtifactError, match="it is truncated"):
        open_filesystem(ext4)


def test_truncated_vfat_is_refused(vfat: Path) -> None:
    with vfat.open("r+b") as file:
        file.truncate(3 * MIB)

    with pytest.raises(ArtifactError, match="it is truncated"):
        open_filesystem(vfat)


def test_damaged_superblock_is_refused(ext4: Path) -> None:
    with ext4.open("r+b") as file:
        file.seek(1024 + 24)
        file.write(struct.pack("<I", 77))

    with pytest.raises(ArtifactError, match="damaged ext4 superblock"):
        open_filesystem(ext4)


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
def test_ext_filesystems_are_recognised(make_ext: Callable[..., Path], kind: str) -> None:
    filesystem = open_filesystem(make_ext(kind=kind))

    assert isinstance(filesystem, ExtFilesystem)


def test_vfat_is_recognised(vfat: Path) -> None:
    assert isinstance(open_filesystem(vfat), FatFilesystem)


def test_a_partition_table_is_not_a_vfat(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes((b"\xeb\x63\x90" + bytes(507) + b"\x55\xaa").ljust(MIB, b"\0"))

    assert recognise(image) is None
