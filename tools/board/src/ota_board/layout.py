# SPDX-License-Identifier: Apache-2.0
"""Where everything is on a board's disk: one pure function, `plan`.

The builder, the bootloader's configuration, the verifier and the device all take their offsets from
here. Standard library only, so that it runs wherever an image is composed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ota_artifact.errors import ArtifactError
from ota_artifact.layout import SECTOR, Area, Layout, TableKind, by_offset, check_areas
from ota_board.errors import LayoutError

MBR_PRIMARY = 4
_GPT_HEAD = 34 * SECTOR  # protective MBR, header, 128 entries. Source: UEFI 2.10, section 5.3
_GPT_TAIL = 33 * SECTOR
_LINK_ROOM = 1 << 20
"""From a link to its partition [B], where there is so much, else a sector.

Source: sfdisk 2.38, observed.
"""
SECOND_HOME = 64 << 10
"""How large a copy of the device's identity may be [B]."""

_UNIT = 1 << 20  # [B] which two copies never share
_MBR_SECTORS = 1 << 32  # Source: the 32-bit fields of an MBR entry


@dataclass(frozen=True, slots=True)
class Wish:
    """A partition that is to have a place: its name and size [B]."""

    name: str
    size: int


def plan(
    *,
    size: int,
    device: str,
    table: TableKind,
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
    try:
        check_areas(areas, size)
    except ArtifactError as error:
        raise LayoutError(str(error)) from error
    return Layout(size=size, device=device, table=table, areas=tuple(sorted(areas, key=by_offset)))


def second_home(layout: Layout) -> tuple[int, ...]:
    """Where the two copies of the device's identity begin [B], outside of all partitions.

    They are in front of the first partition: the one in its last free MiB, the other in the last
    free MiB of the first half. A board whose first partition begins too early has none.
    """
    first = min(area.offset for area in layout.partitions)
    taken = [area for area in layout.areas if area.offset < first]
    free = [
        at
        for at in range(_UNIT, first // _UNIT * _UNIT, _UNIT)
        if all(area.end <= at or area.offset >= at + SECOND_HOME for area in taken)
    ]
    half = [at for at in free[:-1] if at <= first // 2]
    return (half[-1], free[-1]) if half else ()


def _tables(size: int, table: TableKind) -> Iterator[Area]:
    if table == "mbr":
        yield Area(kind="table", name="MBR", offset=0, size=SECTOR)
    else:
        yield Area(kind="table", name="GPT", offset=0, size=_GPT_HEAD)
        yield Area(kind="table", name="GPT backup", offset=size - _GPT_TAIL, size=_GPT_TAIL)


def _places(wishes: Sequence[Wish], table: TableKind, start: int, alignment: int) -> Iterator[Area]:
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
