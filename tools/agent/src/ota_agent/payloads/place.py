# SPDX-License-Identifier: Apache-2.0
"""Puts one file into a folder that another user may write, without obeying that user.

The update module ``single-file`` calls it where a shell cannot be safe: between two commands of a
shell, the user may put a link in the place of anything. Here each folder is held open, so that a
name leads nowhere else meanwhile.

    python3 -I -m ota_agent.payloads.place keep FOLDER NAME BACKUP
    python3 -I -m ota_agent.payloads.place put FOLDER NAME FILE [MODE]
    python3 -I -m ota_agent.payloads.place restore FOLDER NAME BACKUP
    python3 -I -m ota_agent.payloads.place remove FOLDER NAME
    python3 -I -m ota_agent.payloads.place remove-folder FOLDER
"""

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ota_agent.errors import AgentError

_NEW = ".ota-new-"  # in the names of files that are not yet in their place
_PIECE = 1 << 20  # [B]
_MODE = 0o644  # of a file that was not there
_PERMISSIONS = 0o777  # without setuid, setgid and sticky
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_of(path: Path, *, makes: bool = False) -> Iterator[int]:
    """A folder, held open. Links are followed only where nobody but root can have put them.

    Below the first folder that another user may write, all folders must be that user's: others
    may have been moved there.

    Args:
        makes: the folders that are missing.

    Raises:
        AgentError: a link or a folder leads elsewhere than it may.
        OSError: it is not there.
    """
    here = os.open("/", _FOLDER)
    parts, links, owner = [*path.parts[1:]][::-1], 0, None
    try:
        while parts:
            part = parts.pop()
            owner = _owner(here) if owner is None else owner
            if part == ".." and owner is not None:
                raise AgentError(f"{path}: has .. below a folder that user {owner} may change")
            try:
                inner = os.open(part, _FOLDER, dir_fd=here)
            except FileNotFoundError:
                if not makes:
                    raise
                with _as_owner(here, owner):
                    os.mkdir(part, 0o755, dir_fd=here)
                parts.append(part)
                continue
            except NotADirectoryError:  # a link, perhaps
                links += 1
                target = _target(path, part, here, owner, links)
                parts += [each for each in target.parts if each != "/"][::-1]
                if not target.is_absolute():
                    continue
                inner = os.open("/", _FOLDER)
            os.close(here)
            here = inner
            found = os.fstat(here).st_uid
            if owner not in (None, found):
                raise AgentError(f"{path}: {part} belongs to user {found}, in a folder of {owner}")
        yield here
    finally:
        os.close(here)


def keep(folder: Path, name: str, backup: Path) -> None:
    """Copy what is there into a folder of root's, with owner and mode; a link as a link.

    Raises:
        AgentError, OSError: it cannot be kept.
    """
    with _existing(folder) as place:
        if place is None:
            return
        try:
            old = os.open(name, _READ, dir_fd=place)
        except FileNotFoundError:
            return
        except OSError:
            (backup / name).symlink_to(os.readlink(name, dir_fd=place))
            found = os.stat(name, dir_fd=place, follow_symlinks=False)
            os.chown(backup / name, found.st_uid, found.st_gid, follow_symlinks=False)
            return
        with os.fdopen(old, "rb") as source:
            if not stat.S_ISREG(os.fstat(old).st_mode):
                raise AgentError(f"{folder / name}: is not a file; it stays")
            with folder_of(backup) as kept:
                _copy(source.fileno(), kept, name, like=source.fileno())


def put(folder: Path, name: str, file: Path, mode: int | None = None) -> None:
    """Put a copy of a file of root's there, in one step.

    Args:
        mode: without one, the permissions that a file has that is there, but never setuid.

    Raises:
        AgentError, OSError: it cannot be put there; nothing is changed.
    """
    with folder_of(folder, makes=True) as place, file.open("rb") as source:
        if mode is None:
            mode = _MODE
            with suppress(OSError):
                found = os.stat(name, dir_fd=place, follow_symlinks=False).st_mode
                mode = found & _PERMISSIONS if stat.S_ISREG(found) else _MODE
        _copy(source.fileno(), place, name, mode=mode)


def restore(folder: Path, name: str, backup: Path) -> None:
    """Bring back what `keep` has kept.

    Raises:
        AgentError, OSError: it cannot be.
    """
    kept = backup / name
    with folder_of(folder) as place:
        if kept.is_symlink():
            _sweep(place, name)
            fresh = _fresh(name)
            os.symlink(kept.readlink(), fresh, dir_fd=place)
            found = kept.lstat()  # a link of root's own would be followed where theirs is not
            os.chown(fresh, found.st_uid, found.st_gid, dir_fd=place, follow_symlinks=False)
            os.rename(fresh, name, src_dir_fd=place, dst_dir_fd=place)
            os.fsync(place)
            return
        with kept.open("rb") as source:
            _copy(source.fileno(), place, name, like=source.fileno())


def remove(folder: Path, name: str) -> None:
    """Remove a file; harmless if it is not there.

    Raises:
        AgentError, OSError: it cannot be.
    """
    with _existing(folder) as place:
        if place is not None:
            _sweep(place, name)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=place)
            os.fsync(place)


@contextmanager
def _existing(folder: Path) -> Iterator[int | None]:
    """As `folder_of`; None if it is not there."""
    if not os.path.lexists(folder):
        yield None
        return
    with folder_of(folder) as place:
        yield place


def _owner(folder: int) -> int | None:
    """The user who may change a folder, and is not root; None if there is none."""
    found = os.fstat(folder)
    if found.st_uid not in (0, os.geteuid()):
        return found.st_uid
    is_open = bool(found.st_mode & 0o022) and not found.st_mode & stat.S_ISVTX
    return found.st_uid if is_open else None


@contextmanager
def _as_owner(folder: int, owner: int | None) -> Iterator[None]:
    """Be the user who may change a folder: what is made in it is theirs, and never was root's."""
    before = (os.geteuid(), os.getegid())
    if owner is None or owner == before[0]:
        yield
        return
    os.setegid(os.fstat(folder).st_gid)
    os.seteuid(owner)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])


def _target(path: Path, part: str, here: int, owner: int | None, links: int) -> Path:
    """Where a link leads that may be followed.

    Raises:
        AgentError: it may not, or is not a link.
    """
    found = os.stat(part, dir_fd=here, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise AgentError(f"{path}: {part} is not a folder")
    if owner is not None or found.st_uid not in (0, os.geteuid()) or links > 40:
        raise AgentError(
            f"{path}: {part} is a link that user {found.st_uid} may change; give the folder itself"
        )
    return Path(os.readlink(part, dir_fd=here))


def _fresh(name: str) -> str:
    return f".{name}{_NEW}{secrets.token_hex(8)}"


def _sweep(folder: int, name: str) -> None:
    """Remove what a power cut left."""
    for each in os.listdir(folder):
        if each.startswith(f".{name}{_NEW}"):
            with suppress(OSError):
                os.unlink(each, dir_fd=folder)


def _copy(source: int, folder: int, name: str, *, mode: int = 0, like: int | None = None) -> None:
    """Copy an open file to a name in a folder, in one step.

    Args:
        like: an open file, whose owner, mode and times it gets; else it is ours, with ``mode``.
    """
    _sweep(folder, name)
    fresh = _fresh(name)
    file = os.open(fresh, _FRESH, 0o600, dir_fd=folder)
    try:
        while piece := os.read(source, _PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(file, view) :]
        if like is not None:
            found = os.fstat(like)
            mode = stat.S_IMODE(found.st_mode)
            if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file, found.st_uid, found.st_gid)
            os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fchmod(file, mode)
        os.fsync(file)
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh, dir_fd=folder)
        raise
    finally:
        os.close(file)


def main(words: list[str]) -> int:
    """Do what the update module asks for; its exit code."""
    try:
        match words:
            case ["keep", folder, name, backup]:
                keep(Path(folder), name, Path(backup))
            case ["put", folder, name, file]:
                put(Path(folder), name, Path(file))
            case ["put", folder, name, file, mode]:
                put(Path(folder), name, Path(file), int(mode, 8))
            case ["restore", folder, name, backup]:
                restore(Path(folder), name, Path(backup))
            case ["remove", folder, name]:
                remove(Path(folder), name)
            case ["remove-folder", folder]:
                shutil.rmtree(folder)
            case _:
                raise AgentError("is for the update module single-file")
    except (AgentError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
