# SPDX-License-Identifier: Apache-2.0
"""A root filesystem in the making: every file with its owner, mode and attributes on the device.

This does not need root, since the contents are in files without names in a workplace. Paths are
absolute, as the device will see them, and text in UTF-8, whatever the locale of this machine.
"""

import fnmatch
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from ota_artifact.own_text import text_of
from ota_image.errors import ImageError

Kind = Literal["file", "directory", "symlink", "character", "block", "fifo"]

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders in / that are links into /usr. Source: Debian's usrmerge."""
_LINKS = 40  # the most that are followed. Source: Linux, MAXSYMLINKS
_DEVICES: dict[bytes, Kind] = {tarfile.CHRTYPE: "character", tarfile.BLKTYPE: "block"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of any kind.

    Attributes:
        mode: permissions, with setuid, setgid and sticky bit.
        content: of a regular file; hard links share it.
        target: of a symlink.
        device: major and minor number.
        attributes: extended ones by name, such as ``security.capability``.
        origin: the package that it comes from; empty for none.
    """

    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    content: Path | None = None
    target: str = ""
    device: tuple[int, int] = (0, 0)
    attributes: tuple[tuple[str, bytes], ...] = ()
    origin: str = ""

    @property
    def size(self) -> int:
        """Of the content [B]."""
        return self.content.stat().st_size if self.content else 0


class Tree:
    """The files of a root filesystem by path; /bin, /sbin and /lib are links into /usr."""

    def __init__(self, workplace: Path) -> None:
        """Start with little more than the root folder.

        Args:
            workplace: a folder for the contents, which the caller owns.
        """
        self._workplace = workplace
        self._entries: dict[str, Entry] = {"/": Entry(kind="directory")}
        self._count = 0
        for name in _MERGED[:3]:
            self.add_folder(f"/usr/{name}")
            self.add(f"/{name}", Entry(kind="symlink", mode=0o777, target=f"usr/{name}"))

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """Every path in order, a folder before its files."""
        for path in sorted(self._entries, key=lambda path: path.split("/")):
            yield path, self._entries[path]

    def get(self, path: str) -> Entry | None:
        """The file at a path, after following links; None if there is none."""
        return self._entries.get(self.real(path))

    def text(self, path: str) -> str:
        """The content of a file.

        Raises:
            ImageError: there is none.
        """
        entry = self.get(path)
        if entry is None or entry.content is None:
            raise ImageError(f"{path}: the root filesystem has no such file")
        return text_of(entry.content.read_bytes(), path)

    def add(self, path: str, entry: Entry) -> None:
        """Add a file, and the folders on the way to it.

        It replaces what is there, but a folder does not replace a folder, or a link to one.

        Raises:
            ImageError: the path leads through something that is not a folder.
        """
        place = self.real(path, last=False)
        there = self.get(path)
        if entry.kind == "directory" and there and there.kind == "directory":
            return
        parent = posixpath.dirname(place)
        if parent not in self._entries:
            self.add_folder(parent)
        if self._entries[parent].kind != "directory":
            raise ImageError(f"{path}: {parent} is not a folder")
        if place in self._entries and self._entries[place].kind == "directory":
            self.remove(place)
        self._entries[place] = entry

    def add_folder(self, path: str, mode: int = 0o755, uid: int = 0) -> None:
        """Make a folder, and those on the way to it."""
        self.add(path, Entry(kind="directory", mode=mode, uid=uid, gid=uid))

    def add_link(self, path: str, target: str) -> None:
        """Make a symlink."""
        self.add(path, Entry(kind="symlink", mode=0o777, target=target))

    def add_file(
        self,
        path: str,
        content: bytes | str | Path,
        mode: int = 0o644,
        uid: int = 0,
        *,
        origin: str = "",
    ) -> None:
        """Make a file that belongs to root, or to a user and the group with the same number."""
        if isinstance(content, Path):
            place = self._place()
            shutil.copyfile(content, place)
        else:
            place = self._place()
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        made = Entry(kind="file", mode=mode, uid=uid, gid=uid, content=place, origin=origin)
        self.add(path, made)

    def add_tar(self, tar: tarfile.TarFile, *, origin: str = "") -> int:
        """Add everything in a tar stream; gives the newest of its times [s since 1970].

        Args:
            origin: the package whose files these are.

        Raises:
            ImageError: a path leads out of the tree, or a hard link leads nowhere.
        """
        newest = 0
        for member in tar:
            path = _absolute(member.name)
            newest = max(newest, int(member.mtime))
            plain = Entry(
                kind="file",
                mode=member.mode & 0o7777,
                uid=member.uid,
                gid=member.gid,
                origin=origin,
            )
            if member.isreg():
                place = self._place()
                with place.open("wb") as file:
                    source = tar.extractfile(member)
                    shutil.copyfileobj(_there(source), file)
                entry = replace(plain, content=place, attributes=_attributes(member))
            elif member.isdir():
                entry = replace(plain, kind="directory")
            elif member.issym():
                entry = replace(plain, kind="symlink", mode=0o777, target=member.linkname)
            elif member.islnk():
                first = self.get(_absolute(member.linkname))
                if first is None:
                    raise ImageError(
                        f"{path}: is a hard link to {member.linkname}, which is missing"
                    )
                entry = first
            elif member.isfifo():
                entry = replace(plain, kind="fifo")
            else:
                kind = _DEVICES[member.type]
                entry = replace(plain, kind=kind, device=(member.devmajor, member.devminor))
            self.add(path, entry)
        return newest

    def add_from(self, folder: Path) -> None:
        """Add everything in a folder, as root's; of the modes only the execute bit is kept."""
        for source in sorted(folder.rglob("*")):
            path = f"/{host_text(source.relative_to(folder))}"
            if source.is_symlink():
                self.add_link(path, host_text(source.readlink()))
            elif source.is_dir():
                self.add_folder(path)
            elif source.is_file():
                self.add_file(path, source, 0o755 if source.stat().st_mode & 0o100 else 0o644)
            else:
                raise ImageError(f"{source}: is not a file, folder or symlink; leave it out")

    def origins(self) -> set[str]:
        """The packages that any file in the tree comes from; folders do not count."""
        entries = self._entries.values()
        return {each.origin for each in entries if each.kind != "directory"} - {""}

    def own(self, path: str, *, uid: int = 0, gid: int = 0) -> None:
        """Give a file to a user and a group."""
        place = self.real(path)
        self._entries[place] = replace(self._entries[place], uid=uid, gid=gid)

    def remove(self, pattern: str) -> None:
        """Remove what matches, and everything below it; wildcards do not match a ``/``."""
        head, tail = posixpath.split(pattern)
        depth = pattern.count("/")
        place = f"{self.real(head)}/{tail}".replace("//", "/")
        patterns = {pattern, place}
        gone = {
            path
            for path in self._entries
            for each in patterns
            if path.count("/") >= depth and _matches(path, each)
        }
        for path in gone:
            del self._entries[path]

    def real(self, path: str, *, last: bool = True) -> str:
        """A path after following its links; a link at its end only if ``last``.

        Raises:
            ImageError: the links form a loop.
        """
        done, names, followed = "/", path.strip("/").split("/"), 0
        while names:
            name = names.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                done = posixpath.dirname(done)
                continue
            place = posixpath.join(done, name)
            entry = self._entries.get(place)
            if entry and entry.kind == "symlink" and (names or last):
                followed += 1
                if followed > _LINKS:
                    raise ImageError(f"{path}: its symlinks form a loop")
                if entry.target.startswith("/"):
                    done = "/"
                names = [*entry.target.split("/"), *names]
            else:
                done = place
        return done

    def _place(self) -> Path:
        self._count += 1
        return self._workplace / f"{self._count}"


def host_text(path: Path) -> str:
    """A path of this machine as UTF-8; Python decodes it by the locale."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _matches(path: str, pattern: str) -> bool:
    """Whether a path, or a folder that it is in, matches part by part."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) >= len(patterns) and all(
        fnmatch.fnmatchcase(name, each) for name, each in zip(names, patterns, strict=False)
    )


def _absolute(name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ImageError(f"{name}: this path of a package leads out of the root filesystem")
    return "/" + "/".join(parts)


def _attributes(member: tarfile.TarInfo) -> tuple[tuple[str, bytes], ...]:
    """Extended attributes as GNU tar and libarchive write them into pax headers."""
    prefix = "SCHILY.xattr."
    return tuple(
        (name.removeprefix(prefix), value.encode("utf-8", "surrogateescape"))
        for name, value in sorted(member.pax_headers.items())
        if name.startswith(prefix)
    )


def _there(source: IO[bytes] | None) -> IO[bytes]:
    assert source is not None  # noqa: S101  (a regular file always has one)
    return source
