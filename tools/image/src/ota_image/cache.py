# SPDX-License-Identifier: Apache-2.0
"""Keeps results by the hash of their inputs, so that the same thing is made only once."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.hold import hold
from ota_image.errors import WorldError
from ota_image.workfolder import own_folder

_VARIABLE = "XDG_CACHE_HOME"
_BLOCK = 512  # [B]: the unit of st_blocks. Source: Linux, stat(2)
_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEFT = 64 << 10  # [B] with less than that a filesystem is full
_SEAL = ".made"
"""The file of an entry with the digest of all others: a power cut, a full disk, or a program that
removes old files from ~/.cache may have left only a part of them."""
_UNSEALED = frozenset({_SEAL, ".git"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What the cache has of one kind.

    Attributes:
        kind: such as ``packages``.
        entries: how many.
        size: on the disk [B].
    """

    kind: str
    entries: int
    size: int


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/ota-kit``, or ``~/.cache/ota-kit``.

    Source: XDG Base Directory Specification: a relative path is to be ignored.
    """
    base = Path(os.environ.get(_VARIABLE, ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "ota-kit"


def open_cache() -> Path:
    """The folder of the cache, which exists; nobody can empty it until this process ends.

    Raises:
        OSError: it cannot be made.
    """
    folder = cache_folder()
    _keep(folder)
    return folder


def explained(error: OSError) -> OSError:
    """An error with a remedy if it is that the cache is another user's, or cannot be written."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    is_ours = Path(place).is_relative_to(cache_folder())
    if error.errno not in _REFUSALS or not is_ours or _VARIABLE in (error.strerror or ""):
        return error
    text = f"{error.strerror}; the cache is another user's or read-only: set ${_VARIABLE}"
    return OSError(error.errno, text, place)


def key_of(*parts: str | bytes) -> str:
    """16 hex digits that change with any part, and with where one part ends and the next begins."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextmanager
def one_error_if_full(place: Path) -> Iterator[None]:
    """Make one error of what a program, or shutil for each file, says of a full disk.

    Raises:
        OSError: the disk of the place is full, or that of temporary files.
    """
    try:
        yield
    except (ProgramError, shutil.Error) as error:
        full = next((each for each in (place, Path(tempfile.gettempdir())) if _is_full(each)), None)
        reason = os.strerror(errno.ENOSPC)
        if full or reason in str(error):
            raise OSError(errno.ENOSPC, reason, str(full or place)) from error
        raise
    except OSError as error:
        if error.filename is None and error.errno in _FULL and _is_full(place):
            error.filename = str(place)
        raise


def _is_full(place: Path) -> bool:
    try:
        room = os.statvfs(place)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _LEFT or (room.f_files > 0 and room.f_favail == 0)


@contextmanager
def make_once(name: str) -> Iterator[tuple[Path, Path | None]]:
    """The folder of that name in the cache, and where to make it if it is not there yet.

    Gives (folder, None) if the cache has it, as it was made. Otherwise gives (folder, workplace).
    When the block ends without an exception, the workplace becomes the folder, even if another
    process makes the same folder at the same time. What killed processes left next to it is
    removed.

    Raises:
        OSError: the cache cannot be written, also if a program says that the disk is full.
    """
    folder = open_cache() / name
    if is_whole(folder):
        yield folder, None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with own_folder(folder.parent) as workplace:
        with one_error_if_full(folder.parent):
            yield folder, workplace
            (workplace / _SEAL).write_text(tree_digest(workplace), "utf-8")
        workplace.chmod(0o755)  # another user, such as root, may have the same cache
        try:
            workplace.rename(folder)
        except OSError:  # what is damaged is there, or another process was faster
            with own_folder(folder.parent) as damaged:
                with suppress(FileNotFoundError):
                    folder.rename(damaged / "entry")
                with suppress(OSError) if folder.is_dir() else nullcontext():
                    workplace.rename(folder)


def is_whole(folder: Path) -> bool:
    """Whether an entry of the cache is there, as it was made.

    Raises:
        OSError: it cannot be read, for example because another user made it.
    """
    try:
        return (folder / _SEAL).read_text("utf-8", "replace") == tree_digest(folder)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def require_whole(folder: Path) -> None:
    """Check an entry that was found by its name alone, before it is used.

    Raises:
        WorldError: it is damaged. It is removed then, so that the next build makes it again.
        OSError: it cannot be read or removed.
    """
    if not is_whole(folder):
        with own_folder(folder.parent) as damaged:
            folder.rename(damaged / "entry")
        raise WorldError(f"{folder}: was damaged and has been removed; build again")


def tree_digest(folder: Path) -> str:
    """A digest of the names and contents of a tree, without version control [hex]."""
    digest = hashlib.sha256()
    for place, folders, names in os.walk(folder, onerror=_fail):
        folders[:] = sorted(set(folders) - _UNSEALED)
        for name in sorted(set(names) - _UNSEALED):
            path = Path(place, name)
            digest.update(os.fsencode(path.relative_to(folder)) + b"\0")
            if path.is_symlink():
                digest.update(os.fsencode(path.readlink()))
            else:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _fail(error: OSError) -> None:
    raise error


def kept() -> tuple[Kept, ...]:
    """What is in the cache, by its kind."""
    return tuple(
        Kept(place.name, _entries(place), _size(place))
        for place in sorted(_children(cache_folder()))
    )


def empty_cache() -> None:
    """Remove all that is in the cache.

    Raises:
        BlockingIOError: a process uses it.
        OSError: something cannot be removed.
    """
    folder = cache_folder()
    if not folder.is_dir():
        return
    with hold(folder, remedy="wait until it has ended"):
        for place in _children(folder):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()


@cache
def _keep(folder: Path) -> ExitStack:
    """Hold the cache until the process ends, together with other processes that use it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        text = f"{error.strerror}, and the cache belongs there unless ${_VARIABLE} is set"
        raise PermissionError(error.errno, text, error.filename) from error
    stack = ExitStack()
    stack.enter_context(hold(folder, remedy="", is_shared=True, waiting=lambda _: None))
    return stack


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _entries(place: Path) -> int:
    if not place.is_dir():
        return 1
    return sum(not each.name.startswith(".") for each in place.iterdir())


def _size(place: Path) -> int:
    """What a file or folder takes on the disk [B]; a file with two names counts once."""
    sizes: dict[int, int] = {}
    for path in (place, *place.rglob("*")):
        with suppress(FileNotFoundError):  # it may go at any time
            state = path.lstat()
            sizes[state.st_ino] = state.st_blocks * _BLOCK
    return sum(sizes.values())
