# SPDX-License-Identifier: Apache-2.0
"""Which blocks and inodes of an ext4 are in use, by its bitmaps.

dumpe2fs tells it as well, but from e2fsprogs 1.47.2 on not of a filesystem inside an image.

Source: kernel.org, ext4 "Super Block", "Block Group Descriptors", "Block and Inode Bitmaps".
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_image.errors import ImageError

_SUPERBLOCK = 1024  # [B] from the start of the filesystem
_DESCRIPTOR = 32  # [B] each
_64BIT, _META_GROUPS = 0x80, 0x10  # incompatible features: descriptors lie or look otherwise
_UNINITIALISED, _CHECKSUMS = 0x10, 0x400  # read-only compatible ones: a bitmap may not be written


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitmaps:
    """What is in use of a filesystem.

    Attributes:
        block_size: [B].
        count: length of the filesystem [blocks].
        blocks: runs of blocks in use, in order.
        inodes: runs of inodes in use, in order; the first inode is 1.
    """

    block_size: int
    count: int
    blocks: tuple[range, ...]
    inodes: tuple[range, ...]


def read_bitmaps(disk: Path, offset: int) -> Bitmaps:
    """Read the bitmaps of a filesystem that was made with our features (`disk/mkfs.py`).

    Args:
        offset: where it begins on the disk [B].

    Raises:
        ImageError: there is none, or it has other features.
        OSError: the image cannot be read.
    """
    with disk.open("rb") as file:
        file.seek(offset + _SUPERBLOCK)
        raw = file.read(1024)
        if len(raw) < 1024 or raw[56:58] != b"\x53\xef":
            raise ImageError(f"{disk}: no ext4 superblock at {offset + _SUPERBLOCK} B")
        inodes, blocks = struct.unpack_from("<2I", raw)
        first, log_size, _, per_group, _, inodes_per_group = struct.unpack_from("<6I", raw, 20)
        incompatible, compatible = struct.unpack_from("<2I", raw, 96)
        if incompatible & (_64BIT | _META_GROUPS) or compatible & (_UNINITIALISED | _CHECKSUMS):
            raise ImageError(
                f"{disk}: the ext4 at {offset} B has features that its maker here does not use;"
                " have ota-image make it from a folder"
            )
        size = 1024 << log_size
        file.seek(offset + (first + 1) * size)
        groups = -(-(blocks - first) // per_group)
        descriptors = file.read(groups * _DESCRIPTOR)
        used: list[range] = []
        taken: list[range] = []
        for group in range(groups):
            places = struct.unpack_from("<2I", descriptors, group * _DESCRIPTOR)
            begin, number = first + group * per_group, 1 + group * inodes_per_group
            maps = []
            for place in places:
                file.seek(offset + place * size)
                maps.append(file.read(size))
            used += _runs(maps[0], begin, min(begin + per_group, blocks))
            taken += _runs(maps[1], number, min(number + inodes_per_group, inodes + 1))
    return Bitmaps(block_size=size, count=blocks, blocks=tuple(used), inodes=tuple(taken))


def _runs(bitmap: bytes, first: int, end: int) -> Iterator[range]:
    """The runs of bits that are set, where the first bit stands for `first`."""
    bits = f"{int.from_bytes(bitmap, 'little'):0{len(bitmap) * 8}b}"[::-1][: end - first]
    for match in re.finditer("1+", bits):
        yield range(first + match.start(), first + match.end())
