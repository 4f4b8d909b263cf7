# SPDX-License-Identifier: Apache-2.0
"""The few numbers of an ext2/3/4 superblock that we need."""

import struct
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError

_AT = 1024  # [B] from the start of the filesystem
_SIZE = 1024  # [B]
_RECOVER = 0x4  # in the incompatible features
_64BIT = 0x80
_INLINE_DATA = 0x8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """What an ext filesystem says about itself. Source: kernel.org, ext4 "Super Block".

    Attributes:
        block_size: [B].
        blocks: length of the filesystem [blocks].
        free_blocks: not in use [blocks].
        free_inodes: how many more files fit.
        has_inline_data: small files may lie in their inode.
        needs_recovery: an unclean shutdown left changes in the journal.
    """

    block_size: int
    blocks: int
    free_blocks: int
    free_inodes: int
    has_inline_data: bool
    needs_recovery: bool

    @property
    def size(self) -> int:
        """Length of the filesystem [B]."""
        return self.blocks * self.block_size


def read_superblock(image: Path, offset: int = 0) -> Superblock:
    """Read the first superblock.

    Raises:
        ArtifactError: there is no superblock, or its numbers are impossible.
        OSError: the image cannot be read.
    """
    with image.open("rb") as file:
        file.seek(offset + _AT)
        raw = file.read(_SIZE)
    if len(raw) < _SIZE or raw[56:58] != b"\x53\xef":
        raise ArtifactError(f"{image}: no ext4 superblock at {offset + _AT} B")
    blocks, _, free_blocks, free_inodes, _, log_size = struct.unpack_from("<6I", raw, 4)
    incompatible = struct.unpack_from("<I", raw, 96)[0]
    if incompatible & _64BIT:
        blocks_high, _, free_high = struct.unpack_from("<3I", raw, 0x150)
        blocks |= blocks_high << 32
        free_blocks |= free_high << 32
    if log_size > 6 or blocks == 0 or free_blocks > blocks:
        raise ArtifactError(f"{image}: damaged ext4 superblock; repair it with e2fsck -f")
    return Superblock(
        block_size=1024 << log_size,
        blocks=blocks,
        free_blocks=free_blocks,
        free_inodes=free_inodes,
        has_inline_data=bool(incompatible & _INLINE_DATA),
        needs_recovery=bool(incompatible & _RECOVER),
    )
