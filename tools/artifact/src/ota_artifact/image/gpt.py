# SPDX-License-Identifier: Apache-2.0
"""GUID partition tables. Source: UEFI specification 2.10, section 5.3."""

import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ota_artifact.errors import ArtifactError

_SECTOR_SIZES = (512, 4096)  # [B]
_HEADER = struct.Struct("<8s4sII4xQQQQ16sQIII")
_MARK = b"EFI PART"
_MOST_ENTRIES = 1024  # 128 is usual
_ENTRY_SIZES = (128, 256, 512, 1024, 2048, 4096)  # [B]
_UNUSED = bytes(16)
_MISSING = "is missing"

Row = tuple[int, int, int, str, str]
"""Number, offset [B], size [B], type and label of a partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpt:
    """A GPT that can be used: one of its two copies at least is whole.

    Attributes:
        rows: its partitions.
        sector: size of a sector of the disk that it is for [B].
        first_fault: what is wrong with the copy at the beginning, as the end of a sentence;
            then the rows are those of the backup.
        backup_fault: the same of the copy at the end.
    """

    rows: tuple[Row, ...]
    sector: int
    first_fault: str
    backup_fault: str


def read_gpt(file: BinaryIO, size: int, image: Path) -> Gpt | None:
    """Read a GPT; None: there is none.

    Args:
        file: the image, seekable.
        size: its length [B].
        image: its name, for messages.

    Raises:
        ArtifactError: there is one, and both copies are damaged.
    """
    damaged = ""
    for sector in _SECTOR_SIZES:
        end = size // sector * sector - sector
        first, first_fault = _copy(file, sector, sector, size)
        backup, backup_fault = _copy(file, end, sector, size)
        rows = backup if first is None else first
        if rows is not None:
            if backup_fault == _MISSING and (place := _alternate(file, sector)) != end:
                backup_fault = f"is not in the last sector, but at {place} B"
            return Gpt(rows=rows, sector=sector, first_fault=first_fault, backup_fault=backup_fault)
        if (first_fault, backup_fault) != (_MISSING, _MISSING):
            damaged = damaged or f"the first one {first_fault}; the backup {backup_fault}"
    if damaged:
        raise ArtifactError(
            f"{image}: damaged GUID partition table: {damaged}; repair it with sgdisk"
        )
    return None


def _copy(file: BinaryIO, at: int, sector: int, size: int) -> tuple[tuple[Row, ...] | None, str]:
    """The rows of one copy, or None and what is wrong with it."""
    file.seek(max(at, 0))
    raw = file.read(sector)
    if not raw.startswith(_MARK):
        return None, _MISSING
    try:
        return tuple(_read_table(file, raw, at, sector, size)), ""
    except ValueError as fault:
        return None, str(fault)


def _alternate(file: BinaryIO, sector: int) -> int:
    """Where the first copy says that the backup is [B]."""
    file.seek(sector)
    return int(_HEADER.unpack(file.read(_HEADER.size))[5]) * sector


def _read_table(file: BinaryIO, raw: bytes, at: int, sector: int, size: int) -> list[Row]:
    """Check a header and its entries, then give them.

    Raises:
        ValueError: what is wrong, as the end of a sentence.
    """
    if len(raw) < _HEADER.size:
        raise ValueError("is truncated")
    (_, _, length, checksum, own, _, _, _, _, entries_at, count, entry_size, entries_checksum) = (
        _HEADER.unpack_from(raw)
    )
    if not _HEADER.size <= length <= len(raw):
        raise ValueError(f"has a header of {length} B")
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) != checksum:
        raise ValueError("has a header with a wrong checksum")
    if own * sector != at:
        raise ValueError("says that it lies elsewhere")
    if count > _MOST_ENTRIES or entry_size not in _ENTRY_SIZES:
        raise ValueError(f"has {count} entries of {entry_size} B")
    if entries_at * sector + count * entry_size > size:
        raise ValueError("has entries beyond the end of the image")
    file.seek(entries_at * sector)
    entries = file.read(count * entry_size)
    if zlib.crc32(entries) != entries_checksum:
        raise ValueError("has entries with a wrong checksum")
    found = []
    for index in range(count):
        kind, first, last, name = struct.unpack_from("<16s16xQQ8x72s", entries, index * entry_size)
        if kind == _UNUSED:
            continue
        if last < first:
            raise ValueError(f"has partition {index + 1} end before it begins")
        label = name.decode("utf-16-le", "replace").partition("\0")[0]
        span = (last - first + 1) * sector
        found.append((index + 1, first * sector, span, str(uuid.UUID(bytes_le=kind)), label))
    return found
