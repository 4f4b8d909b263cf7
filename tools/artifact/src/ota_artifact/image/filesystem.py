# SPDX-License-Identifier: Apache-2.0
"""One filesystem in an image, whatever its type."""

import struct
import tempfile
from pathlib import Path
from typing import Protocol

from ota_artifact.errors import ArtifactError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.paths import Kind
from ota_artifact.image.vfat import FatFilesystem

_HEAD = 0x10048  # [B] up to the end of the farthest magic number, that of btrfs


class Filesystem(Protocol):
    """Files in an image, by absolute path; a path in it never leaves the image.

    Changes are made in place. A change that is refused beforehand (no such file, no space) leaves
    the image as it was; after any other failure it may be half changed, so work on a copy:
    `ota_artifact.image.disk.edit`.
    """

    def kind(self, path: str) -> Kind | None:
        """What is at the path, without following a symbolic link at its end; None: nothing."""

    def exists(self, path: str) -> bool:
        """Whether a file or folder is at the path, symbolic links followed."""

    def real_path(self, path: str) -> str:
        """The path with every symbolic link followed; what is missing stays as it is."""

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, in order; () if there is no such folder."""

    def file_size(self, path: str) -> int:
        """How long a file is [B]."""

    def read_file(self, path: str, destination: Path) -> None:
        """Copy a file of the image to the host, whole or not at all."""

    def write_file(self, source: Path, path: str, mode: int | None = None) -> None:
        """Copy a file of the host into the image, replacing one that is there."""

    def make_directory(self, path: str, mode: int | None = None) -> None:
        """Make a directory and those above it; an existing one is not an error."""

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or link, or with `recursive` a directory and all below it."""

    def check(self) -> None:
        """Pass if the filesystem is sound; else raise what is wrong."""


def open_filesystem(image: Path, offset: int = 0, size: int | None = None) -> Filesystem:
    """The filesystem at an offset of an image; ext2, ext3, ext4 and vfat are known.

    Args:
        image: the file, also a whole disk's.
        offset: where the filesystem begins [B].
        size: how much of the image is its own [B]; None: all up to the end.

    Raises:
        ArtifactError: another filesystem or none, or one that is larger than its room.
        OSError: the image cannot be read.
    """
    match recognise(image, offset, size):
        case "ext4":
            return ExtFilesystem(image, offset, size)
        case "vfat":
            return FatFilesystem(image, offset, size)
        case None:
            raise ArtifactError(
                f"{_place(image, offset)}: no filesystem found; only ext4 and vfat are supported"
            )
        case other:
            raise ArtifactError(
                f"{_place(image, offset)}: holds {other}; only ext4 and vfat are supported"
            )


def read_bytes(filesystem: Filesystem, path: str, limit: int) -> bytes:
    """What a file holds.

    Args:
        filesystem: which has it.
        path: absolute, in there.
        limit: how long it may be [B].

    Raises:
        ArtifactError: no such file, not a regular one, or longer than the limit.
        ProgramError: a program that reads it fails or is missing.
        OSError: no space for a temporary copy.
    """
    size = filesystem.file_size(path)
    if size > limit:
        raise ArtifactError(f"{path}: has {size} B, more than the {limit} B that are read")
    with tempfile.TemporaryDirectory(prefix="ota-image-") as folder:
        copy = Path(folder) / "file"
        filesystem.read_file(path, copy)
        return copy.read_bytes()


def recognise(image: Path, offset: int = 0, size: int | None = None) -> str | None:
    """The name of a filesystem: "ext4" (also for ext2 and ext3), "vfat", or another that we know
    by its magic number; None: nothing that we know.

    Raises:
        OSError: the image cannot be read.
    """
    with image.open("rb") as file:
        file.seek(offset)
        head = file.read(_HEAD if size is None else min(size, _HEAD))
    if _is_ext(head):
        return "ext4"
    for at, magic, name in _MAGICS:
        if head[at : at + len(magic)] == magic:
            return name
    return "vfat" if _is_vfat(head) else None


_MAGICS = (
    (0, b"hsqs", "squashfs"),
    (0, b"\x31\x18\x10\x06", "ubifs"),
    (0, b"UBI#", "a UBI volume"),
    (0, b"XFSB", "xfs"),
    (0, b"\x45\x3d\xcd\x28", "cramfs"),
    (0, b"\x85\x19", "jffs2"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0, b"\x3a\xff\x26\xed", "an Android sparse image; expand it with simg2img"),
    (0, b"\x1f\x8b", "gzip; decompress it first"),
    (0, b"\xfd7zXZ\x00", "xz; decompress it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd; decompress it first"),
    (3, b"NTFS    ", "ntfs"),
    (3, b"EXFAT   ", "exfat"),
    (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
    (1024, b"\x10\x20\xf5\xf2", "f2fs"),
    (4086, b"SWAPSPACE2", "swap space"),
    (0x10040, b"_BHRfS_M", "btrfs"),
)
"""Offset [B], magic number, name. Source: linux/magic.h and each one's superblock structure."""


def _is_ext(head: bytes) -> bool:
    return len(head) >= 2048 and head[1024 + 56 : 1024 + 58] == b"\x53\xef"


def _is_vfat(head: bytes) -> bool:
    """A boot sector, and not a partition table that ends in the same two bytes."""
    if len(head) < 512 or head[510:512] != b"\x55\xaa" or head[0] not in (0xEB, 0xE9):
        return False
    sector, cluster, reserved, tables = struct.unpack_from("<HBHB", head, 11)
    return (
        sector in (512, 1024, 2048, 4096)
        and cluster.bit_count() == 1
        and reserved > 0
        and tables in (1, 2)
        and (head[21] == 0xF0 or head[21] >= 0xF8)
    )


def _place(image: Path, offset: int) -> str:
    return f"{image} at {offset} B" if offset else str(image)
