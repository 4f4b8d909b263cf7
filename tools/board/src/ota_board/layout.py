# SPDX-License-Identifier: Apache-2.0
"""Where everything is on a board's disk: one pure function, `plan`.

The builder, the bootloader's configuration, the verifier and the device all take their offsets from
here. Standard library only, so that it runs wherever an image is composed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from ota_board.errors import LayoutError
from ota_board.size import format_size

SECTOR = 512
"""Size of a sector [B]."""

SCHEMA = 1
"""Version of the JSON form."""

Table = Literal["mbr", "gpt"]

Kind = Literal["table", "reserved", "environment", "partition", "extended", "link"]
"""What an area is: a partition table or its backup; a bootloader's place; a copy of the
environment; a partition; the MBR's extended partition; the table of one logical partition."""

MBR_PRIMARY = 4
_GPT_HEAD = 34 * SECTOR  # protective MBR, header, 128 entries. Source: UEFI 2.10, section 5.3
_GPT_TAIL = 33 * SECTOR
_LINK_ROOM = 1 << 20
"""From a link to its partition [B], where there is so much, else a sector.

Source: sfdisk 2.38, observed.
"""
_MBR_SECTORS = 1 << 32  # Source: the 32-bit fields of an MBR entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A range of the disk.

    Attributes:
        kind: what it is.
        name: unique on the disk; of a partition, also its label.
        offset: its first byte [B].
        size: its length [B].
        number: of a partition, as Linux counts; 0 for anything else.
    """

    kind: Kind
    name: str
    offset: int
    size: int
    number: int = 0

    @property
    def end(self) -> int:
        """The first byte after it [B]."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Wish:
    """A partition that is to have a place: its name and size [B]."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A disk whose areas do not overlap.

    Attributes:
        size: of the disk [B].
        device: the disk on the running system, such as ``/dev/mmcblk0``.
        table: kind of partition table.
        areas: by offset; an extended partition comes before those in it.
    """

    size: int
    device: str
    table: Table
    areas: tuple[Area, ...]

    @property
    def partitions(self) -> tuple[Area, ...]:
        """The partitions that hold something, by number."""
        found = (area for area in self.areas if area.kind == "partition")
        return tuple(sorted(found, key=lambda area: area.number))

    def partition(self, name: str) -> Area:
        """The partition of a name: ``boot``, ``A``, ``B``, ``data`` or an extra one's.

        Raises:
            KeyError: there is none.
        """
        for area in self.partitions:
            if area.name == name:
                return area
        raise KeyError(name)

    def node(self, name: str) -> str:
        """The device node of a partition, such as ``/dev/mmcblk0p2`` or ``/dev/vda2``."""
        return f"{node_base(self.device)}{self.partition(name).number}"

    @property
    def environment(self) -> tuple[Area, ...]:
        """The raw copies of the bootloader's environment; none if it is in files."""
        return tuple(area for area in self.areas if area.kind == "environment")


def node_base(device: str) -> str:
    """A partition's name without its number: a ``p`` follows a name that ends in a digit."""
    return f"{device}p" if device[-1:].isdigit() else device


def plan(
    *,
    size: int,
    device: str,
    table: Table,
    start: int,
    alignment: int,
    partitions: Sequence[Wish],
    fixed: Iterable[Area] = (),
) -> Layout:
    """Give every partition its place, in the order of the wishes, the last one last on the disk.

    Partitions are numbered from 1 in that order. An MBR with more than four has the fourth and
    later ones as logical partitions in an extended partition. They are numbered from 5, and each
    comes after a link sector of its own.

    Args:
        size: of the disk [B], a whole number of sectors.
        start: where the first partition may begin [B].
        alignment: of each partition's begin and size [B], a power of two.
        fixed: reserved areas and copies of the environment, which stay where they are.

    Raises:
        LayoutError: two areas overlap, something is not aligned, or the disk is too small.
    """
    if size % SECTOR or size <= 0:
        raise LayoutError(f"storage.size: {size} B is not a whole number of sectors of {SECTOR} B")
    if alignment < SECTOR or alignment & (alignment - 1):
        raise LayoutError(
            f"storage.alignment: {alignment} B is not a power of two from {SECTOR} up"
        )
    if table == "mbr" and size > _MBR_SECTORS * SECTOR:
        raise LayoutError("storage.size: an MBR ends at 2 TiB; write 'table: gpt'")
    if table == "gpt" and len(partitions) > 128:
        raise LayoutError("partitions: a GPT has room for 128")
    tables = list(_tables(size, table))
    places = list(_places(partitions, table, max(start, tables[0].end), alignment))
    areas = [*tables, *fixed, *places]
    _check(areas, size)
    return Layout(size=size, device=device, table=table, areas=tuple(sorted(areas, key=_order)))


def to_json(layout: Layout) -> str:
    """The form in which a layout travels on the image; `from_json` reads it."""
    value = {
        "schema": SCHEMA,
        "size": layout.size,
        "device": layout.device,
        "table": layout.table,
        "areas": [
            {
                "kind": area.kind,
                "name": area.name,
                "offset": area.offset,
                "size": area.size,
                **({"number": area.number} if area.number else {}),
            }
            for area in layout.areas
        ],
    }
    return json.dumps(value, indent=1) + "\n"


def from_json(text: str) -> Layout:
    """Read what `to_json` wrote.

    Raises:
        LayoutError: not JSON, another schema, or areas that overlap.
    """
    try:
        value: dict[str, Any] = json.loads(text)
        if value["schema"] != SCHEMA:
            raise LayoutError(f"layout: schema {value['schema']} is unknown; {SCHEMA} is read")
        areas = tuple(Area(**each) for each in value["areas"])
        layout = Layout(
            size=value["size"], device=value["device"], table=value["table"], areas=areas
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LayoutError(f"layout: is not the JSON of a layout: {error}") from error
    _check(areas, layout.size)
    return layout


def _tables(size: int, table: Table) -> Iterator[Area]:
    if table == "mbr":
        yield Area(kind="table", name="MBR", offset=0, size=SECTOR)
    else:
        yield Area(kind="table", name="GPT", offset=0, size=_GPT_HEAD)
        yield Area(kind="table", name="GPT backup", offset=size - _GPT_TAIL, size=_GPT_TAIL)


def _places(wishes: Sequence[Wish], table: Table, start: int, alignment: int) -> Iterator[Area]:
    """Partitions one after the other, with links and the extended partition."""
    offset = _aligned(start, alignment)
    is_extended = table == "mbr" and len(wishes) > MBR_PRIMARY
    primary = MBR_PRIMARY - 1 if is_extended else len(wishes)
    for number, wish in enumerate(wishes[:primary], 1):
        size = _partition_size(wish, alignment)
        yield Area(kind="partition", name=wish.name, offset=offset, size=size, number=number)
        offset += size
    if not is_extended:
        return
    begin = offset
    logical: list[Area] = []
    for number, wish in enumerate(wishes[primary:], MBR_PRIMARY + 1):
        # The first one is where the extended partition begins, or nothing finds the others.
        room = _LINK_ROOM if alignment >= _LINK_ROOM else SECTOR
        gap = alignment - room if logical else 0
        logical.append(
            Area(kind="link", name=f"link to {wish.name}", offset=offset + gap, size=SECTOR)
        )
        size = _partition_size(wish, alignment)
        logical.append(
            Area(
                kind="partition",
                name=wish.name,
                offset=offset + alignment,
                size=size,
                number=number,
            )
        )
        offset += alignment + size
    yield Area(
        kind="extended", name="extended", offset=begin, size=offset - begin, number=MBR_PRIMARY
    )
    yield from logical


def _partition_size(wish: Wish, alignment: int) -> int:
    if wish.size <= 0:
        raise LayoutError(f"partitions: {wish.name}: a size of {wish.size} B is not possible")
    return _aligned(wish.size, alignment)


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _order(area: Area) -> tuple[int, int]:
    """By offset; of two that begin together, the one that holds the other first."""
    return area.offset, -area.size


def _check(areas: Sequence[Area], size: int) -> None:
    """Fail if areas overlap or leave the disk; the extended partition holds others."""
    names = [area.name for area in areas]
    for name in names:
        if names.count(name) > 1:
            raise LayoutError(f"{name}: two areas of the disk have this name")
    ordered = sorted((area for area in areas if area.kind != "extended"), key=_order)
    for area in ordered:
        if area.offset < 0 or area.size <= 0 or area.offset % SECTOR:
            raise LayoutError(f"{_shown(area)}: is not a range of whole sectors")
    for before, behind in pairwise(ordered):
        if behind.offset < before.end:
            raise LayoutError(f"{_shown(behind)} overlaps {_shown(before)}; move one of them")
    last = max(ordered, key=lambda area: area.end)
    if last.end > size:
        raise LayoutError(
            f"{_shown(last)} ends {format_size(last.end - size)} after the end of the storage of"
            f" {format_size(size)}; make it larger or a partition smaller"
        )


def _shown(area: Area) -> str:
    return f"{area.kind} {area.name} ({area.offset:#x} to {area.end:#x})"
