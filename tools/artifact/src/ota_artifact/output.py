# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all."""

import fcntl
import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

_WRITEBACK = 16 << 20  # [B] that are handed to the disk at once


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """An unbuffered file to write, which replaces ``path`` when the block ends well.

    It is written next to ``path`` under a temporary name, synced, and renamed; if the block
    raises, nothing is left behind and ``path`` stays as it was. A file that is replaced keeps its
    mode (and, where allowed, its owner); a symbolic link is followed; anything but a regular file
    (a pipe, a terminal) is written directly.

    Raises:
        OSError: the folder is missing or not writable, or there is no space; it names ``path``.
    """
    target = Path(os.path.realpath(path))
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(21, "is a directory; name a file", str(path))
    if old and not stat.S_ISREG(old.st_mode):
        with target.open("wb", buffering=0) as file:
            yield cast(BinaryIO, file)
        return
    # Named before it is created, so that an interrupt at any time knows what to remove.
    copy = target.with_name(f".{target.name[:50]}.{os.urandom(4).hex()}")
    try:
        with naming(path, target.parent), io.FileIO(copy, "x+", opener=_private) as file:
            yield cast(BinaryIO, file)
            _take_over(file.fileno(), old)
            os.fsync(file.fileno())
        with naming(path, target.parent):
            copy.replace(target)
    except BaseException:
        with suppress(OSError):
            copy.unlink()
        raise
    _sync_folder(target.parent)


def is_stdout(path: Path) -> bool:
    """Whether a path is our stdout, as ``/dev/stdout`` is, which must not be replaced."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def spill(folder: Path | None) -> BinaryIO:
    """An unbuffered temporary file without a name, which the system always frees."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder, buffering=0))


def put(destination: BinaryIO, data: bytes) -> None:
    """Write all of ``data`` to an unbuffered file."""
    view = memoryview(data)
    while view:
        view = view[os.write(destination.fileno(), view) :]


def put_all(file: BinaryIO, parts: Iterable[bytes]) -> int:
    """Write all parts to an unbuffered regular file; gives their length [B].

    The disk starts writing while later parts are still computed, so the final sync is short.
    """
    size = begun = 0
    for part in parts:
        put(file, part)
        size += len(part)
        if size - begun >= _WRITEBACK:
            # Linux starts to write dirty pages; it would also drop clean ones, but has none here.
            behind = file.tell() - (size - begun)
            os.posix_fadvise(file.fileno(), behind, size - begun, os.POSIX_FADV_DONTNEED)
            begun = size
    return size


def copy(source: BinaryIO, destination: BinaryIO, size: int) -> None:
    """Copy the next ``size`` bytes [B], in the kernel where both are files.

    Raises:
        EOFError: ``source`` ends too early.
    """
    missing = size
    while missing:
        try:
            count = os.copy_file_range(source.fileno(), destination.fileno(), missing)
        except OSError:
            break
        if not count:
            break
        missing -= count
    while missing:
        data = os.read(source.fileno(), min(missing, 1 << 20))
        if not data:
            raise EOFError(f"ends {missing} B early")
        put(destination, data)
        missing -= len(data)


def can_be_edited(file: BinaryIO) -> bool:
    """Whether what was written can be read back and rewritten: not a pipe, not ``>>``."""
    flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
    is_appended = flags & os.O_APPEND or flags & os.O_ACCMODE != os.O_RDWR
    return not is_appended and stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def fill_room(file: BinaryIO, start: int, room: int, data: bytes, temporary: Path | None) -> None:
    """Write ``data`` at ``start``, where ``room`` bytes [B] were left for it.

    What follows, up to the file's position, is moved if ``data`` needs less or more room, by way
    of a file in ``temporary``. Afterwards the file ends, and its position is, after it.
    """
    size = file.tell() - start - room
    if len(data) != room:
        with spill(temporary) as waiting:
            file.seek(start + room)
            copy(file, waiting, size)
            waiting.seek(0)
            file.seek(start + len(data))
            copy(waiting, file, size)
    file.seek(start)
    put(file, data)
    file.seek(size, os.SEEK_CUR)
    file.truncate()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


@contextmanager
def naming(path: Path, folder: Path) -> Iterator[None]:
    """Make errors name the user's path, not our temporary file in ``folder``."""
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename).startswith(str(folder)):
            error.filename = str(path)
            error.filename2 = None
        raise


def _take_over(descriptor: int, old: os.stat_result | None) -> None:
    if old is None:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    with suppress(OSError):  # a file of another user becomes ours, as with an editor
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # a filesystem that cannot sync a folder needs no sync
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
