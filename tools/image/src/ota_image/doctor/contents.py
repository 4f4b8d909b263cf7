# SPDX-License-Identifier: Apache-2.0
"""The small files of a partition, but for those that packages brought."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.filesystem import Filesystem, read_bytes
from ota_artifact.image.small_files import SmallFile, small_files
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


def read_small(part: Part) -> tuple[SmallFile, ...]:
    """Those of a partition; none if they cannot be read.

    The programs of packages are looked through only if a private key is somewhere in a slot.
    """
    with suppress(ArtifactError, ProgramError):  # another probe reports damage
        if part.kind == "ext4":
            is_slot = part.name in ("A", "B") or part.exists("/etc/passwd")
            among = is_slot and not _may_hold_key(part)
            tops, without = ("/", *_AMONG_THEM) if among else ("/",), _PROGRAMS if among else ()
            return small_files(part.image, part.offset, tops, _LIMIT, without=(*without, *_NOBODYS))
        if part.kind == "vfat":
            return tuple(_walk(part.open()))
    return ()


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
