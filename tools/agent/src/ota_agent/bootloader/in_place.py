# SPDX-License-Identifier: Apache-2.0
"""Overwrites a small file of a mounted filesystem, and nothing else on the disk.

A filesystem that is mounted writable writes elsewhere too, such as vfat into its boot sector and
its folders; a power cut may garble all that is near a write. So the boot partition is mounted
read-only, and the file's own sectors are written, as GRUB does.
"""

import array
import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_agent.errors import AgentError
from ota_artifact.run import run

_FIBMAP, _FIGETBSZ = 1, 2  # Source: Linux, include/uapi/linux/fs.h
_NUMBERS = Path("/sys/dev/block")
_MOUNTS = Path("/proc/self/mountinfo")
_KINDS = ("vfat", "msdos")
_TIMEOUT = 60.0  # [s]


def overwrite(path: Path, data: bytes) -> None:
    """Write a file of that length in place; it is on the disk afterwards.

    Raises:
        OSError: it cannot be written, not even past its filesystem.
        ProgramError: the filesystem cannot be mounted writable, where that is needed.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        _write_past(path, data)
        return
    try:
        os.pwrite(file, data, 0)
        os.fsync(file)
    finally:
        os.close(file)


def create(path: Path, data: bytes, known: Collection[str] = ()) -> None:
    """Write a file, new or not, with its folder; it is on the disk afterwards.

    Args:
        known: what may be in the folder; (): anything. One that is damaged is put aside.

    Raises:
        OSError, ProgramError: as `overwrite`.
    """
    try:
        _create(path, data, known)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        with _writable(path.parent):
            _create(path, data, known)


def places(path: Path) -> tuple[tuple[int, int], ...]:
    """Where each block of a file is on its partition [B], and how long it is [B].

    Raises:
        OSError: its filesystem does not say, or the user may not ask.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = array.array("i", [0])
        fcntl.ioctl(file, _FIGETBSZ, size)
        found = []
        for number in range(-(-os.fstat(file).st_size // size[0])):
            block = array.array("i", [number])
            fcntl.ioctl(file, _FIBMAP, block)
            if block[0] <= 0:
                raise OSError(errno.EIO, f"block {number} of the file is nowhere on the disk")
            found.append((block[0] * size[0], size[0]))
        return tuple(found)
    finally:
        os.close(file)


def device_of(path: Path, mounts: Path = _MOUNTS) -> Path | None:
    """The partition of a file on a vfat; None for any other filesystem, or if it is not known.

    Raises:
        OSError: the file is not there, or the kernel does not say.
    """
    number = path.stat().st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    rows = (line.split(" - ", 1) for line in mounts.read_text("utf-8", "replace").splitlines())
    kinds = {row[0].split()[2]: row[1].split()[0] for row in rows if len(row) == 2}
    if kinds.get(name) not in _KINDS:
        return None
    lines = (_NUMBERS / name / "uevent").read_text("ascii").splitlines()
    node = Path("/dev") / dict(line.split("=", 1) for line in lines).get("DEVNAME", "")
    return node if stat.S_ISBLK(node.stat().st_mode) else None


def _write_past(path: Path, data: bytes) -> None:
    """Write a file of a filesystem that is mounted read-only: its sectors, or mounted writable."""
    try:
        device, blocks = device_of(path), places(path)
        node = os.open(device, os.O_WRONLY | os.O_CLOEXEC) if device else None
    except OSError:
        node = None
    if node is None:
        with _writable(path.parent):
            _create(path, data)
        return
    try:
        at = 0
        for place, size in blocks:
            os.pwrite(node, data[at : at + size], place)
            at += size
        os.fsync(node)
    finally:
        os.close(node)
    _forget(path)


def _forget(path: Path) -> None:
    """Have the file read from the disk again."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _create(path: Path, data: bytes, known: Collection[str] = ()) -> None:
    if known and not _is_sound(path.parent, known):
        number = sum(1 for _ in path.parent.parent.glob(f"{path.parent.name}.broken*"))
        path.parent.rename(path.parent.with_name(f"{path.parent.name}.broken{number}"))
    path.parent.mkdir(exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(file, data, 0)
        os.truncate(file, len(data))
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_sound(folder: Path, known: Collection[str]) -> bool:
    """Whether a folder has nothing but these; one that is not there yet has."""
    try:
        return {each.name for each in folder.iterdir()} <= {*known}
    except FileNotFoundError:
        return True
    except OSError:
        return False


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """The filesystem is mounted writable meanwhile."""
    point = folder
    while not point.is_mount():
        point = point.parent
    if point == Path("/"):
        raise AgentError(f"{folder}: no partition is mounted there; mount the boot partition")
    run(("mount", "-o", "remount,rw,noatime", point), timeout=_TIMEOUT)
    try:
        yield
    finally:
        run(("mount", "-o", "remount,ro", point), timeout=_TIMEOUT)
