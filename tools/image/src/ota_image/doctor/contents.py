# SPDX-License-Identifier: Apache-2.0
"""The small files of a partition, but for those that packages brought."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.filesystem import Filesystem, read_bytes
from ota_artifact.image.small_files import SmallFile, TooManyFilesError, small_files
from ota_image.disk.image import Part
from ota_image.doctor.secrets import may_hold_key

_PROGRAMS = ("/usr", "/lib", "/lib64", "/bin", "/sbin")
_AMONG_THEM = ("/usr/local", "/usr/etc", *(f"{each}/systemd" for each in ("/usr/lib", "/lib")))
"""Where users put things among the programs of packages, which nobody looks through."""

_NOBODYS = ("/usr/share/doc", "/proc", "/sys", "/dev")
_LIMIT = 1 << 18  # [B] of a key, of a file of settings, or of an agent's memory
_PIECE, _OVERLAP = 4 << 20, 2048  # [B]
_TREES = (".dtb", ".dtbo")
"""There are hundreds on some boot partitions."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The small files of a partition.

    Attributes:
        note: what could not be looked at, and why; empty if all was.
    """

    files: tuple[SmallFile, ...] = ()
    note: str = ""


def read_small(part: Part) -> Contents:
    """Those of a partition; none if they cannot be read.

    The programs of packages are looked through only if a private key is somewhere in a slot.
    """
    with suppress(ArtifactError, ProgramError):  # another probe reports damage
        if part.kind == "ext4":
            return _of_ext4(part)
        if part.kind == "vfat":
            return Contents(tuple(_walk(part.open())))
    return Contents()


def _of_ext4(part: Part) -> Contents:
    is_slot = part.name in ("A", "B") or part.exists("/etc/passwd")
    without = _PROGRAMS if is_slot and not _may_hold_key(part) else ()
    tops = ("/", *_AMONG_THEM) if without else ("/",)
    try:
        all_without = (*without, *_NOBODYS)
        return Contents(small_files(part.image, part.offset, tops, _LIMIT, without=all_without))
    except TooManyFilesError as error:
        return Contents(note=f"{part.name}: logins, and what is one device's own: {error}")


def is_program(path: str) -> bool:
    """Whether a file of a slot is among those of packages: only a key is of interest in it."""
    return _is_below(path, _PROGRAMS) and not _is_below(path, _AMONG_THEM)


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(f"{each}/") for each in folders)


def _may_hold_key(part: Part) -> bool:
    with part.image.open("rb") as file:
        file.seek(part.offset)
        left, end = part.size, b""
        while piece := file.read(min(left, _PIECE)):
            if may_hold_key(end + piece):
                return True
            left, end = left - len(piece), piece[-_OVERLAP:]
    return False


def _walk(files: Filesystem) -> Iterator[SmallFile]:
    folders = [""]
    for folder in folders:  # grows while it is walked
        for name in files.names(folder or "/"):
            path = f"{folder}/{name}"
            if name.lower().endswith(_TREES):
                continue
            if files.kind(path) == "directory":
                folders.append(path)
            elif files.file_size(path) <= _LIMIT:
                yield SmallFile(path, read_bytes(files, path, _LIMIT))
