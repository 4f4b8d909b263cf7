# SPDX-License-Identifier: Apache-2.0
"""Holds a file or a folder, so that two commands do not write to it at the same time."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

_LOCKS = Path("/proc/locks")
_LONGEST = 80  # characters of a command line that are shown
_UNABLE = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""How a filesystem says that it cannot lock, as some NFS mounts cannot."""


@contextmanager
def hold(
    path: Path,
    *,
    remedy: str,
    is_shared: bool = False,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[bool]:
    """Hold a file or a folder while the block runs. It leaves no file behind.

    The kernel lets go of it when the process ends, however that happens. Gives False on a
    filesystem that cannot lock: then nothing is held, and others may use it, too.

    Args:
        remedy: what the user can do if another process holds it.
        is_shared: only read it; others may hold it in the same way.
        waiting: gets one line about who holds it, and then we wait; None refuses.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it is missing, or cannot be opened.
    """
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    while True:
        descriptor = _open(path)
        try:
            state = _lock(descriptor, kind | fcntl.LOCK_NB)
            if state == "busy":
                holder = _holder(descriptor)
                if waiting is None:
                    text = f"{holder} is using it; {remedy}"
                    raise BlockingIOError(errno.EWOULDBLOCK, text, str(path))
                waiting(f"{path}: waiting for {holder}; {remedy}")
                state = _lock(descriptor, kind)
            if _is_still(path, descriptor):
                yield state == "held"
                return
        finally:
            os.close(descriptor)


def _open(path: Path) -> int:
    if not path.is_dir():
        with suppress(PermissionError):  # NFS locks only what is open for writing
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _lock(descriptor: int, how: int) -> Literal["held", "busy", "unable"]:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return "busy"
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        return "unable"
    return "held"


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether it has not been replaced since it was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    """Which process holds it, with its command line. Source: Linux, proc(5), /proc/locks."""
    state = os.fstat(descriptor)
    device = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}"
    with suppress(OSError):
        for line in _LOCKS.read_text("ascii", "replace").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == f"{device}:{state.st_ino}":
                return f"process {words[4]}{_command(words[4])}"
    return "another process"


def _command(number: str) -> str:
    """The command line of a process in parentheses, without the path and the interpreter."""
    with suppress(OSError):
        words = Path("/proc", number, "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        if Path(words[0]).name.startswith("python") and len(words) > 1 and words[1][:1] == "/":
            del words[0]
        line = " ".join((Path(words[0]).name, *words[1:])).strip()
        if line:
            return f" ({line if len(line) <= _LONGEST else line[:_LONGEST] + '…'})"
    return ""
