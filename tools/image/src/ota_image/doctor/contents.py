# SPDX-License-Identifier: Apache-2.0
"""The small files of a partition, from folders in which a device or a user keeps what is theirs."""

from collections.abc import Iterator
from contextlib import suppress

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.filesystem import Filesystem, read_bytes
from ota_artifact.image.small_files import SmallFile, small_files
from ota_image.disk.image import Part

_IN_A_SLOT = ("/etc", "/var/lib", "/root", "/home", "/data", "/opt", "/srv", "/usr/local")
_LIMIT = 1 << 18  # [B] of a key, of a file of settings, or of an agent's memory
_PIECE = 4 << 20  # [B]
_KEY = b"PRIVATE KEY-----"
_TREES = (".dtb", ".dtbo")
"""There are hundreds on some boot partitions."""


def read_small(part: Part) -> tuple[SmallFile, ...]:
    """Those of a slot, or all of a partition that is not one; none if they cannot be read."""
    tops = _IN_A_SLOT if part.name in ("A", "B") or part.exists("/etc/passwd") else ("/",)
    with suppress(ArtifactError, ProgramError):  # another probe reports damage
        if part.kind == "ext4":
            return small_files(part.image, part.offset, tops, _LIMIT)
        if part.kind == "vfat" and _may_have_key(part):
            return tuple(_walk(part.open()))
    return ()


def _may_have_key(part: Part) -> bool:
    """Whether a key in PEM is somewhere in a partition, which is quicker than to walk it."""
    with part.image.open("rb") as file:
        file.seek(part.offset)
        left, end = part.size, b""
        while piece := file.read(min(left, _PIECE)):
            if _KEY in end + piece:
                return True
            left, end = left - len(piece), piece[-len(_KEY) :]
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
