# SPDX-License-Identifier: Apache-2.0
"""Writes an image to an open device, and reads it back."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ota_image.disk.bmap import BlockMap, Range, read_map
from ota_image.errors import ImageError, WorldError

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is [B]."""

_PIECE = 4 << 20  # [B]
_SYNCED = 64 << 20  # [B] after which the device is synced, so that the progress is real
_BLKRRPART = 0x125F  # Source: linux/fs.h
_BLKFLSBUF = 0x1261


def map_of(image: Path) -> BlockMap:
    """The image's block map, from the file next to it, else one that maps everything.

    Raises:
        ImageError: the file is not a block map, or belongs to another image.
        OSError: it cannot be read.
    """
    size = image.stat().st_size
    path = Path(f"{image}.bmap")
    if not path.exists():
        return BlockMap(size, _PIECE, (Range(0, max(-(-size // _PIECE) - 1, 0)),))
    found = read_map(path)
    if found.size != size:
        raise ImageError(
            f"{path}: belongs to an image of {found.size} B, {image.name} has {size} B; compose it"
            " again"
        )
    return found


def flash(image: Path, block_map: BlockMap, device: int, *, progress: Progress) -> None:
    """Write what is mapped, sync, and compare what is read back.

    Args:
        device: file descriptor, open for reading and writing.

    Raises:
        ImageError: the image is not what its map says.
        WorldError: the device returns other data than was written.
        OSError: the image cannot be read, or the device cannot be written.
    """
    total, done, unsynced = block_map.mapped, 0, 0
    digests = []
    with image.open("rb", buffering=0) as source:
        for each, (start, end) in zip(block_map.ranges, block_map.spans(), strict=True):
            digest = hashlib.sha256()
            for at in range(start, end, _PIECE):
                piece = os.pread(source.fileno(), min(_PIECE, end - at), at)
                if len(piece) != min(_PIECE, end - at):
                    raise ImageError(
                        f"{image}: ends at {at + len(piece)} B, before its block map does; copy it"
                        " again"
                    )
                digest.update(piece)
                _write(device, piece, at)
                done, unsynced = done + len(piece), unsynced + len(piece)
                if unsynced >= _SYNCED:
                    os.fdatasync(device)
                    unsynced = 0
                progress("write", done, total)
            if each.checksum and digest.hexdigest() != each.checksum:
                raise ImageError(
                    f"{image}: differs from its block map at {start:#x} to {end:#x}; copy both"
                    " again, and flash again: the device is not usable now"
                )
            digests.append(digest.digest())
    os.fsync(device)
    _forget(device)
    done = 0
    for written, (start, end) in zip(digests, block_map.spans(), strict=True):
        digest = hashlib.sha256()
        for at in range(start, end, _PIECE):
            piece = os.pread(device, min(_PIECE, end - at), at)
            digest.update(piece)
            done += len(piece)
            progress("verify", done, total)
        if digest.digest() != written:
            raise WorldError(
                f"the device returns other data than was written at {start:#x} to {end:#x}; try"
                " another card or reader"
            )
    with suppress(OSError):  # a regular file has no partitions to read again
        fcntl.ioctl(device, _BLKRRPART)


def _write(device: int, piece: bytes, at: int) -> None:
    view = memoryview(piece)
    while view:
        count = os.pwrite(device, view, at)
        view, at = view[count:], at + count


def _forget(device: int) -> None:
    """Drop what the kernel keeps in memory, so that the next read comes from the device."""
    with suppress(OSError):
        fcntl.ioctl(device, _BLKFLSBUF)
    os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)
