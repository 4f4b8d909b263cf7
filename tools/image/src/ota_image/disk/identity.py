# SPDX-License-Identifier: Apache-2.0
"""Identifiers of disks, partitions and filesystems, derived from the inputs, so that the same
inputs give the same image."""

import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SUPERBLOCKS = 4096  # [B] with what differs between filesystems: identifier, times, counts
_EXT_MAGIC_AT = 1080  # [B]. Source: kernel.org, ext4 "Super Block"
_EXT_WRITTEN_AT = 1072


@dataclass(frozen=True, slots=True)
class Identity:
    """A digest of the inputs, from which every identifier of an image follows."""

    digest: bytes

    def number(self, name: str) -> int:
        """32 bits that are not zero, as MBR and vfat have them."""
        return int.from_bytes(self._of(name)[:4], "big") or 1

    def guid(self, name: str) -> str:
        """A GUID, as GPT and ext4 have them, in lower case."""
        return str(uuid.UUID(bytes=self._of(name)[:16], version=4))

    def _of(self, name: str) -> bytes:
        return hashlib.sha256(self.digest + name.encode()).digest()


def identity_of(*parts: bytes | Path) -> Identity:
    """The identity of inputs: bytes, files, and folders with their content.

    Of an ext4 only its beginning and its length count, since its own identifier and the time of
    its last change are there.

    Raises:
        OSError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for part in parts:
        for piece in (part,) if isinstance(part, bytes) else _pieces(part):
            digest.update(len(piece).to_bytes(8, "big") + piece)
    return Identity(digest.digest())


def time_of(path: Path) -> int:
    """When a root filesystem was made [s since 1970].

    For an ext4 it is the time of its last change, for a folder that of its newest file.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(_SUPERBLOCKS)
        if head[_EXT_MAGIC_AT : _EXT_MAGIC_AT + 2] == b"\x53\xef":
            return int.from_bytes(head[_EXT_WRITTEN_AT : _EXT_WRITTEN_AT + 4], "little")
    return max(int(each.lstat().st_mtime) for each in _walk(path))


def _pieces(part: Path) -> Iterator[bytes]:
    if not part.is_dir():
        with part.open("rb") as file:
            head = file.read(_SUPERBLOCKS)
            if head[_EXT_MAGIC_AT : _EXT_MAGIC_AT + 2] == b"\x53\xef":
                yield head + str(part.stat().st_size).encode()
            else:
                file.seek(0)
                yield hashlib.file_digest(file, "sha256").digest()
        return
    for path in _walk(part):
        state = path.lstat()
        size = state.st_size if stat.S_ISREG(state.st_mode) else 0
        said = f"{path.relative_to(part)}\0{state.st_mode:o}\0{size}\0{int(state.st_mtime)}"
        yield said.encode("utf-8", "surrogateescape")


def _walk(part: Path) -> Iterator[Path]:
    yield part
    if part.is_dir():
        for folder, folders, names in os.walk(part):
            folders.sort()
            yield from (Path(folder, name) for name in sorted((*folders, *names)))
