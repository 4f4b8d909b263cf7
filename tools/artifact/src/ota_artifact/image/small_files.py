# SPDX-License-Identifier: Apache-2.0
"""The small files below some folders of an ext filesystem, all at once."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError
from ota_artifact.image import debugfs
from ota_artifact.image.inode import find
from ota_artifact.image.workplace import workplace

_LISTED = re.compile(
    r"/(?P<inode>\d+)/(?P<mode>[0-7]+)/-?\d+/-?\d+/(?P<name>[^/\n]+)/(?P<size>\d*)/"
)
"""A line of `ls -p`. Source: e2fsprogs, debugfs/ls.c."""

_TYPE, _FOLDER, _REGULAR = 0o170000, 0o040000, 0o100000  # Source: linux/stat.h
_MOST = 50_000  # files and folders


class TooManyFilesError(ArtifactError):
    """There are more files than anyone would look through."""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file: its path in the filesystem, and what it holds."""

    path: str
    data: bytes


def small_files(
    image: Path,
    offset: int,
    tops: Sequence[str],
    limit: int,
    *,
    without: Collection[str] = (),
) -> tuple[SmallFile, ...]:
    """The regular files in some folders and all below them; links are not followed.

    Args:
        offset: where the filesystem begins in the image [B].
        tops: absolute paths; a folder that is not there has no files.
        without: paths of folders that are left out; those among the tops are not.
        limit: how long a file may be; a longer one is left out [B].

    Raises:
        TooManyFilesError: there are more files than anyone would look through.
        ArtifactError: the filesystem is damaged.
        ProgramError: debugfs is missing, or did not end.
        OSError: no space for the copies.
    """
    with workplace(image) as place:
        found = [each for each in _walk(place, offset, tops, without) if each[2] <= limit]
        (place / "files").mkdir()
        copies = [place / "files" / str(number) for number in range(len(found))]
        commands = [
            ("dump", f"<{inode}>", str(copy))
            for (_, inode, _), copy in zip(found, copies, strict=True)
        ]
        for _ in debugfs.ask_each(place, offset, commands) if commands else ():
            pass
        return tuple(
            SmallFile(path, copy.read_bytes()[:size])
            for (path, _, size), copy in zip(found, copies, strict=True)
        )


def _walk(
    place: Path, offset: int, tops: Sequence[str], without: Collection[str]
) -> Iterator[tuple[str, int, int]]:
    """The path, inode and size [B] of each file, level by level."""
    level = [(top.rstrip("/"), number) for top in tops for number in _folder(place, offset, top)]
    seen = {number for _, number in level}
    count = 0
    while level:
        commands = [("ls", "-p", f"<{number}>") for _, number in level]
        below: list[tuple[str, int]] = []
        for (path, _), printed in zip(
            level, debugfs.ask_each(place, offset, commands), strict=True
        ):
            for line in printed.decode("utf-8", "surrogateescape").split("\n"):
                entry = _LISTED.fullmatch(line)
                if not entry or entry["name"] in (".", "..") or entry["inode"] == "0":
                    continue
                number, kind = int(entry["inode"]), int(entry["mode"], 8) & _TYPE
                count += 1
                if count > _MOST:
                    raise TooManyFilesError(f"{path or '/'}: there are more than {_MOST} files")
                if kind == _FOLDER and number not in seen:
                    if f"{path}/{entry['name']}" not in without:
                        seen.add(number)
                        below.append((f"{path}/{entry['name']}", number))
                elif kind == _REGULAR:
                    yield f"{path}/{entry['name']}", number, int(entry["size"] or 0)
        level = below


def _folder(place: Path, offset: int, path: str) -> Iterator[int]:
    """The inode of a folder, if it is there."""
    try:
        found = find(place, offset, path).inode
    except FileNotFoundError:
        return
    if found and found.kind == "directory":
        yield found.number
