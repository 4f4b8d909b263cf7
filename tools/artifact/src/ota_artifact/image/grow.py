# SPDX-License-Identifier: Apache-2.0
"""Extends the last partition to the end of its disk so that no power cut can lose the table.

    python3 -m ota_artifact.image.grow DISK NUMBER

Each write is on the disk before the next one begins. Of a GPT the backup is written first, at the
new end of the disk, and the primary copy only then: at each moment one of them is whole. An MBR has
no copy, and is changed in one sector. A table that has its right size already is not written, but a
primary copy that a cut has torn is written again from its backup.

It imports little, since a device runs it before anything else.
"""

import os
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from ota_artifact.errors import ArtifactError

_SECTOR = 512
"""Of an MBR [B]."""

_LEAST = 8 << 20  # [B] less is not worth a write to the table
_ALIGNMENT = 1 << 20  # [B] of the new end
_MBR_ENTRIES, _MBR_ENTRY = 446, 16  # Source: UEFI 2.10, section 5.2
_MBR_MARK = b"\x55\xaa"
_MBR_MOST = (1 << 32) - 1  # [sectors] that an entry can name
_FARTHEST = b"\xfe\xff\xff"  # the last cylinder, head and sector, for an end beyond them
_EXTENDED = (0x05, 0x0F, 0x85)
_PROTECTIVE = 0xEE
_FIRST_LOGICAL, _MOST_LOGICAL = 5, 128
_GPT_SECTORS = (512, 4096)  # [B]
_GPT_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")  # Source: UEFI 2.10, section 5.3
_GPT_MARK = b"EFI PART"
_MOST_ENTRIES = 1024  # 128 is usual
_ENTRY_SIZES = (128, 256, 512)  # [B]
_FIRST_ENTRIES = 2  # [sectors] where the primary copy has them
_BLKPG, _BLKPG_RESIZE = 0x1269, 3  # Source: Linux, include/uapi/linux/blkpg.h

Read = Callable[[int, int], bytes]
"""Gives so many bytes from an offset [B] of the disk; fewer at its end."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for an offset of the disk [B]."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a partition grows.

    Attributes:
        number: of the partition.
        start: where it begins [B].
        size: what it will have [B].
        writes: in this order, each one synced before the next.
    """

    number: int
    start: int
    size: int
    writes: tuple[Write, ...]


def plan_growth(read: Read, size: int, number: int) -> Growth | None:
    """What to write so that a partition ends where its disk ends; None: nothing.

    Args:
        size: of the disk [B].
        number: of the partition, as Linux counts.

    Raises:
        ArtifactError: it is not the last partition, or the table is damaged or of another kind.
    """
    first = read(0, _SECTOR)
    if first[510:512] != _MBR_MARK:
        raise ArtifactError("the first sector is not a partition table")
    if any(kind == _PROTECTIVE for kind, _, _ in _entries(first)):
        return _grown_gpt(read, size, number)
    return _grown_mbr(read, first, size, number)


def carry_out(growth: Growth, disk: int, tell: Callable[[int, Growth], None]) -> None:
    """Write the table, then tell the kernel.

    Args:
        disk: descriptor of the whole disk.
        tell: has the kernel take the new size of the partition, which may be mounted.

    Raises:
        OSError: the disk or the kernel refuses.
    """
    for write in growth.writes:
        if os.pwrite(disk, write.data, write.offset) != len(write.data):
            raise OSError(5, "the disk took a part of a write", f"{write.offset:#x}")
        os.fsync(disk)
    tell(disk, growth)


def tell_kernel(disk: int, growth: Growth) -> None:
    """Have the kernel take the new size of a partition.

    Raises:
        OSError: it does not.
    """
    from fcntl import ioctl

    # struct blkpg_partition: start, length, number, two names of 64 bytes.
    where = array("b", struct.pack("=qqi128x4x", growth.start, growth.size, growth.number))
    address, _ = where.buffer_info()
    ioctl(disk, _BLKPG, struct.pack("@iiiP", _BLKPG_RESIZE, 0, len(where), address))


def main(words: list[str]) -> int:
    """Grow the partition NUMBER of DISK; gives the exit code."""
    path, number = words
    try:
        disk = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        with closing(os.fdopen(disk, "r+b", buffering=0)):
            size = os.lseek(disk, 0, os.SEEK_END)
            growth = plan_growth(lambda at, count: os.pread(disk, count, at), size, int(number))
            if growth is not None:
                carry_out(growth, disk, tell_kernel)
    except (ArtifactError, OSError) as error:
        sys.stderr.write(f"{path}: partition {number}: {error}\n")
        return 3
    return 0


def _entries(sector: bytes) -> list[tuple[int, int, int]]:
    """Type, start and length [sectors] of the four entries of an MBR or of a link."""
    places = range(_MBR_ENTRIES, _MBR_ENTRIES + 4 * _MBR_ENTRY, _MBR_ENTRY)
    return [struct.unpack_from("<4xB3xII", sector, place) for place in places]


def _grown_mbr(read: Read, first: bytes, size: int, number: int) -> Growth | None:
    entries = _entries(first)
    if number < _FIRST_LOGICAL:
        index, link, base = number - 1, 0, 0
        _, start, length = entries[index]
        others = [each for place, each in enumerate(entries) if place != index]
    else:
        index = next((i for i, each in enumerate(entries) if each[0] in _EXTENDED), -1)
        if index < 0:
            raise ArtifactError("there is no extended partition that could hold it")
        base = entries[index][1]
        link, table = _last_link(read, base, number)
        _, start, length = _entries(table)[0]
        others = [each for place, each in enumerate(entries) if place != index]
    if not length:
        raise ArtifactError("the table has no such partition")
    begin = link + start
    _require_last(begin + length, (begin_ + size_ for kind, begin_, size_ in others if kind))
    end = min(size // _ALIGNMENT * _ALIGNMENT // _SECTOR, begin + _MBR_MOST, _MBR_MOST)
    if (end - begin - length) * _SECTOR < _LEAST:
        return None
    writes = []
    if link:  # first the room, then what is in it
        writes.append(Write(0, _with_length(first, index, end - base)))
        writes.append(Write(link * _SECTOR, _with_length(table, 0, end - begin)))
    else:
        writes.append(Write(0, _with_length(first, index, end - begin)))
    return Growth(
        number=number,
        start=begin * _SECTOR,
        size=(end - begin) * _SECTOR,
        writes=tuple(writes),
    )


def _last_link(read: Read, base: int, number: int) -> tuple[int, bytes]:
    """Where the table of the last logical partition is [sectors], and its bytes.

    Raises:
        ArtifactError: the chain is damaged, or another partition is the last one.
    """
    at, found = base, _FIRST_LOGICAL
    for _ in range(_MOST_LOGICAL):
        table = read(at * _SECTOR, _SECTOR)
        if table[510:512] != _MBR_MARK:
            raise ArtifactError(f"no table of a logical partition at {at * _SECTOR} B")
        kind, start, length = _entries(table)[1]
        if kind not in _EXTENDED or not length:
            break
        at, found = base + start, found + 1
    if found != number:
        raise ArtifactError(f"the last logical partition is {found}")
    return at, table


def _with_length(sector: bytes, index: int, length: int) -> bytes:
    """The sector with another length [sectors] in one of its entries."""
    place = _MBR_ENTRIES + index * _MBR_ENTRY
    changed = bytearray(sector)
    changed[place + 5 : place + 8] = _FARTHEST
    struct.pack_into("<I", changed, place + 12, length)
    return bytes(changed)


def _require_last(end: int, others: Iterator[int]) -> None:
    if max(others, default=0) > end:
        raise ArtifactError("another partition lies behind it")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """A copy of a GPT, which is whole.

    Attributes:
        sector: size of a sector [B].
        header: its sector.
        length: of the header [B].
        at: where the entries are [sectors].
        entry: size of an entry [B].
        entries: all of them.
    """

    sector: int
    header: bytes
    length: int
    at: int
    entry: int
    entries: bytes

    def span(self, number: int) -> tuple[int, int]:
        """The first and the last sector of a partition; (0, 0) if there is none."""
        place = (number - 1) * self.entry
        if not any(self.entries[place : place + 16]):
            return 0, 0
        first, last = struct.unpack_from("<QQ", self.entries, place + 32)
        return first, last

    def header_of(self, own: int, other: int, last: int, at: int, entries: bytes) -> bytes:
        """The header of a copy of a changed table, by the sectors that it names."""
        changed = bytearray(self.header)
        struct.pack_into("<QQ", changed, 24, own, other)
        struct.pack_into("<Q", changed, 48, last)
        struct.pack_into("<Q", changed, 72, at)
        struct.pack_into("<I", changed, 88, zlib.crc32(entries))
        struct.pack_into("<I", changed, 16, _sum_of(changed, self.length))
        return bytes(changed)


def _read_copy(read: Read, place: int, sector: int) -> _Copy:
    """The copy whose header is at a sector.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    header = read(place * sector, sector)
    if not header.startswith(_GPT_MARK):
        raise ArtifactError("the GPT is missing")
    _, _, length, checksum, _, own, _, _, _, _, at, count, entry, entries_checksum = (
        _GPT_HEADER.unpack_from(header)
    )
    if (
        not _GPT_HEADER.size <= length <= sector
        or own != place
        or checksum != _sum_of(header, length)
    ):
        raise ArtifactError("the header of the GPT is damaged")
    if not 0 < count <= _MOST_ENTRIES or entry not in _ENTRY_SIZES:
        raise ArtifactError(f"the GPT has {count} entries of {entry} B")
    entries = read(at * sector, count * entry)
    if len(entries) != count * entry or zlib.crc32(entries) != entries_checksum:
        raise ArtifactError("the entries of the GPT are damaged")
    return _Copy(sector=sector, header=header, length=length, at=at, entry=entry, entries=entries)


def _grown_gpt(read: Read, size: int, number: int) -> Growth | None:
    found: ArtifactError | None = None
    for sector in _GPT_SECTORS:
        last = size // sector - 1
        for place in (1, last):
            try:
                table = _read_copy(read, place, sector)
            except ArtifactError as error:
                found = found or error
                continue
            return _grown_table(table, read(0, _SECTOR), last, number, is_torn=place == last)
    raise found or ArtifactError("the GPT is missing")


def _grown_table(
    table: _Copy, first_sector: bytes, alternate: int, number: int, *, is_torn: bool
) -> Growth | None:
    """How a partition of a whole copy grows.

    Args:
        first_sector: of the disk, which says that a GPT follows.
        alternate: where the backup belongs [sectors].
        is_torn: the copy is the backup, since the primary one is damaged.
    """
    sector, count = table.sector, len(table.entries) // table.entry
    first, end = table.span(number) if number <= count else (0, 0)
    if not first:
        raise ArtifactError("the table has no such partition")
    _require_last(end, (table.span(each + 1)[1] for each in range(count)))
    room = -(-len(table.entries) // sector)  # [sectors]
    last = alternate - room - 1
    new_end = (last + 1) * sector // _ALIGNMENT * _ALIGNMENT // sector - 1
    if (new_end - end) * sector < _LEAST:
        if not is_torn:
            return None
        new_end = end
    grown = bytearray(table.entries)
    place = (number - 1) * table.entry + 40
    struct.pack_into("<Q", grown, place, new_end)
    entries, padded = bytes(grown), bytes(grown).ljust(room * sector, b"\0")
    at = _FIRST_ENTRIES if is_torn else table.at
    header = table.header_of(1, alternate, last, at, entries)
    backup = table.header_of(alternate, 1, last, last + 1, entries)
    writes = [Write((last + 1) * sector, padded), Write(alternate * sector, backup)]
    if is_torn or at != _FIRST_ENTRIES:
        writes += [Write(at * sector, padded), Write(sector, header)]
    else:  # one write, of the sectors that change and of what is between them
        changed = padded[: (place // sector + 1) * sector]
        writes.append(
            Write(0, _with_size(first_sector, alternate).ljust(sector, b"\0") + header + changed)
        )
    return Growth(
        number=number,
        start=first * sector,
        size=(new_end - first + 1) * sector,
        writes=tuple(writes),
    )


def _with_size(sector: bytes, size: int) -> bytes:
    """The first sector of a disk with a GPT, whose one entry covers the rest [sectors]."""
    index = next(i for i, each in enumerate(_entries(sector)) if each[0] == _PROTECTIVE)
    return _with_length(sector, index, min(size, _MBR_MOST))


def _sum_of(header: bytes | bytearray, length: int) -> int:
    """The checksum of a header of a length [B], in which its own field counts as zero."""
    return zlib.crc32(bytes(header[:16]) + bytes(4) + bytes(header[20:length]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
