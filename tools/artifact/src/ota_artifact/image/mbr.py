# SPDX-License-Identifier: Apache-2.0
"""MBR partition tables: four entries, and a chain of logical partitions.

Source: UEFI specification 2.10, section 5.2; for the chain, Linux block/partitions/msdos.c.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ota_artifact.errors import ArtifactError

_SECTOR = 512  # [B]
_EXTENDED = (0x05, 0x0F, 0x85)
_PROTECTIVE = 0xEE
_FIRST_LOGICAL = 5
_MOST_LOGICAL = 128

Row = tuple[int, int, int, str]
"""Number, offset [B], size [B] and type of a partition."""


@dataclass(frozen=True, slots=True)
class Mbr:
    """What a table holds.

    Attributes:
        rows: the primary and the logical partitions.
        links: where the tables of logical partitions are [B].
    """

    rows: tuple[Row, ...]
    links: tuple[int, ...]


def is_protective(sector: bytes) -> bool:
    """Whether the table says that a GPT follows."""
    return any(kind == _PROTECTIVE for kind, _, _ in _table(sector))


def gpt_places(sector: bytes) -> tuple[int, ...]:
    """Where a GPT begins, by the entries that say so [sectors]; readers take 1 and no other."""
    return tuple(start for kind, start, _ in _table(sector) if kind == _PROTECTIVE)


def hybrid_rows(sector: bytes) -> list[tuple[int, int, int]]:
    """Number, start [sectors] and length [sectors] of what such a table has next to the GPT."""
    return [
        (number, start, length)
        for number, (kind, start, length) in enumerate(_table(sector), start=1)
        if kind not in (0, _PROTECTIVE) and length
    ]


def read_mbr(file: BinaryIO, size: int, image: Path) -> Mbr:
    """Read an MBR and the tables that it leads to.

    Args:
        file: the image, seekable.
        size: its length [B].
        image: its name, for messages.

    Raises:
        ArtifactError: the chain of logical partitions has a loop, leaves the image or is absurd.
    """
    file.seek(0)
    rows: list[Row] = []
    logical: list[Row] = []
    links: list[int] = []
    for number, (kind, start, length) in enumerate(_table(file.read(_SECTOR)), start=1):
        if kind in _EXTENDED and length:
            numbered = _FIRST_LOGICAL + len(logical)
            found = _read_chain(file, size, image, start, numbered)
            logical += found.rows
            links += found.links
        elif kind and length:
            rows.append((number, start * _SECTOR, length * _SECTOR, f"{kind:02x}"))
    return Mbr((*rows, *logical), tuple(links))


def _read_chain(file: BinaryIO, size: int, image: Path, extended: int, number: int) -> Mbr:
    """The logical partitions: each table has one, and says where the next table is.

    Args:
        extended: where the extended partition begins [sectors].
        number: that of the first logical partition.
    """
    found: list[Row] = []
    links: list[int] = []
    at = extended
    while True:
        if at * _SECTOR in links or len(links) >= _MOST_LOGICAL:
            raise ArtifactError(f"{image}: the chain of logical partitions does not end")
        links.append(at * _SECTOR)
        if (at + 1) * _SECTOR > size:
            raise ArtifactError(
                f"{image}: the table of a logical partition lies beyond the image's end"
            )
        file.seek(at * _SECTOR)
        sector = file.read(_SECTOR)
        if sector[510:512] != b"\x55\xaa":
            if at == extended:  # an extended partition in which nothing was ever made
                return Mbr(tuple(found), tuple(links))
            raise ArtifactError(f"{image}: no table of a logical partition at {at * _SECTOR} B")
        following = None
        for kind, start, length in _table(sector):
            if kind in _EXTENDED and length:
                following = extended + start
            elif kind and length:
                offset = (at + start) * _SECTOR
                found.append((number + len(found), offset, length * _SECTOR, f"{kind:02x}"))
        if following is None:
            return Mbr(tuple(found), tuple(links))
        at = following


def _table(sector: bytes) -> list[tuple[int, int, int]]:
    """(type, start [sectors], length [sectors]) of the four entries."""
    return [struct.unpack_from("<4xB3xII", sector, 446 + 16 * index) for index in range(4)]
