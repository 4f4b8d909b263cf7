# SPDX-License-Identifier: Apache-2.0
"""Reads files that may be anything: a careless user, or a damaged filesystem, put them there."""

import errno
import os
import stat
from pathlib import Path


def read_small(path: Path, most: int) -> bytes:
    """Up to ``most`` bytes [B] of a file; a FIFO would block, and some devices have no end.

    Raises:
        OSError: it cannot be read, or is not a file.
        ValueError: its name cannot be one.
    """
    with open(path, "rb", opener=_opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a file", str(path))
        return file.read(most)


def require_file(path: Path) -> None:
    """Pass if a path leads to a file; for what libraries open themselves.

    Raises:
        OSError: it does not, or is not there.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a file", str(path))


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
