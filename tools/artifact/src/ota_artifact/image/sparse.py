# SPDX-License-Identifier: Apache-2.0
"""Copies large files so that their holes stay holes."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_FICLONE = 0x40049409  # Source: linux/fs.h
_CHUNK = 16 << 20  # [B] asked of the kernel at once
_NOT_HERE = (
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EXDEV,
    errno.EBADF,
)
"""How kernels and filesystems say that they do not support an operation."""


def copy_sparse(source: int, destination: int) -> None:
    """Make one open file equal to another, sharing blocks where the filesystem can.

    Args:
        source: file descriptor to read.
        destination: file descriptor of an empty file to write.

    Raises:
        OSError: no space, or one of them cannot be read or written.
    """
    try:
        fcntl.ioctl(destination, _FICLONE, source)
        return
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    os.ftruncate(destination, os.fstat(source).st_size)
    for start, end in extents(source):
        copy_range(source, destination, start, end)


def data_size(path: Path) -> int:
    """How much of a file is data and not holes [B].

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return sum(end - start for start, end in extents(file.fileno()))


def length(path: Path) -> int:
    """How long a file or a block device is [B].

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END)


def extents(file: int) -> Iterator[tuple[int, int]]:
    """Where data begins and ends [B], one after the other.

    Args:
        file: file descriptor to read.
    """
    size, at = os.fstat(file).st_size, 0
    while (data := _next(file, at, os.SEEK_DATA, default=at)) is not None and data < size:
        at = _next(file, data, os.SEEK_HOLE, default=size) or size
        yield data, at


def _next(file: int, at: int, whence: int, *, default: int) -> int | None:
    """Where data or a hole begins from `at` on [B]; None: no more data."""
    try:
        return os.lseek(file, at, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        if error.errno in _NOT_HERE:
            return default
        raise


def copy_range(source: int, destination: int, start: int, end: int, *, shift: int = 0) -> None:
    """Copy a range of one open file to another, in the kernel where it can.

    Args:
        start: the first byte [B].
        end: the first byte that is not copied [B].
        shift: how much later in the destination it goes [B].

    Raises:
        OSError: no space, one of them cannot be read or written, or the source is shorter.
    """
    while start < end:
        length = min(end - start, _CHUNK)
        try:
            copied = os.copy_file_range(source, destination, length, start, start + shift)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            copied = os.pwrite(destination, os.pread(source, length, start), start + shift)
        if copied == 0:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        start += copied
