# SPDX-License-Identifier: Apache-2.0
"""GUID partition tables. Source: UEFI specification 2.10, section 5.3."""

import struct
import uuid
import zlib
from pathlib import Path
from typing import BinaryIO

from ota_artifact.errors import ArtifactError

_SECTOR_SIZES = (512, 4096)  # [B]
_HEADER = struct.Struct("<8s4sII4xQQQQ16sQIII")
_MOST_ENTRIES = 1024  # 128 is usual
_ENTRY_SIZES = (128, 256, 512, 1024, 2048, 4096)  # [B]
_UNUSED = bytes(16)


def read_gpt(file: BinaryIO, size: int, image: Path) -> list[tuple[int, int, int, str, str]] | None:
    """(number, offset [B], size [B], type, label) of each partition; None: there is no GPT.

    The backup at the end of the image is read when the first table is damaged.

    Args:
        file: the image, seekable.
        size: its length [B].
        image: its name, for messages.

    Raises:
        ArtifactError: there is one, and both copies are damaged.
    """
    faults = []
    for sector in _SECTOR_SIZES:
        for at, name in ((sector, "first"), (size // sector * sector - sector, "backup")):
            file.seek(max(at, 0))
            raw = file.read(sector)
            if raw[:8] != b"EFI PART":
                continue
            try:
                return _read_table(file, raw, at, sector, size)
            except ValueError as fault:
                faults.append(f"the {name} one {fault}")
    if faults:
        raise ArtifactError(
            f"{image}: damaged GUID partition table: {'; '.join(faults)}; repair it with sgdisk"
        )
    return None


def _read_table(
    file: BinaryIO, raw: bytes, at: int, sector: int, size: int
) -> list[tuple[int, int, int, str, str]]:
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
