# SPDX-License-Identifier: Apache-2.0
"""The layout of a disk: for any input, nothing overlaps and everything is aligned."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.layout import SECTOR, Area, Layout, TableKind
from ota_artifact.size import GIB, KIB, MIB
from ota_board.errors import LayoutError
from ota_board.layout import SECOND_HOME, Wish, plan, second_home

ENVIRONMENT = (
    Area(kind="environment", name="environment 1", offset=4 * MIB, size=128 * KIB),
    Area(kind="environment", name="environment 2", offset=8 * MIB, size=128 * KIB),
)


def planned(
    *sizes: int,
    size: int = 512 * MIB,
    table: TableKind = "mbr",
    start: int = 24 * MIB,
    alignment: int = 4 * MIB,
    fixed: tuple[Area, ...] = ENVIRONMENT,
) -> Layout:
    """A layout with partitions p1, p2 … of those sizes [B]."""
    return plan(
        size=size,
        device="/dev/mmcblk0",
        table=table,
        start=start,
        alignment=alignment,
        partitions=[Wish(f"p{number}", each) for number, each in enumerate(sizes, 1)],
        fixed=fixed,
    )


def overlap(one: Area, other: Area) -> bool:
    return one.offset < other.end and other.offset < one.end


@given(
    table=st.sampled_from(["mbr", "gpt"]),
    sizes=st.lists(st.integers(1, 300 * MIB), min_size=1, max_size=20),
    start=st.integers(9 * MIB, 40 * MIB),
    shift=st.integers(9, 24),
)
def test_no_areas_overlap_and_all_are_aligned(
    table: TableKind, sizes: list[int], start: int, shift: int
) -> None:
    alignment = 1 << shift

    layout = planned(*sizes, size=16 * GIB, table=table, start=start, alignment=alignment)

    solid = [area for area in layout.areas if area.kind != "extended"]
    assert not any(overlap(one, other) for one, other in combinations(solid, 2))
    assert all(area.end <= layout.size for area in layout.areas)
    for area, asked in zip(layout.partitions, sizes, strict=True):
        assert area.offset % alignment == area.size % alignment == 0
        assert asked <= area.size < asked + alignment
        assert area.offset >= start


@given(sizes=st.lists(st.integers(1, 100 * MIB), min_size=5, max_size=20))
def test_an_extended_partition_holds_the_logical_ones_and_their_links(sizes: list[int]) -> None:
    layout = planned(*sizes, size=16 * GIB)

    (extended,) = [area for area in layout.areas if area.kind == "extended"]
    links = [area for area in layout.areas if area.kind == "link"]
    logical = layout.partitions[3:]
    assert extended.number == 4
    assert [area.number for area in layout.partitions] == [1, 2, 3, *range(5, len(sizes) + 2)]
    assert links[0].offset == extended.offset
    assert extended.end == logical[-1].end
    for link, area in zip(links, logical, strict=True):
        assert extended.offset <= link.offset < area.offset < extended.end
    for before, behind in pairwise(logical):
        assert before.offset < behind.offset


def test_four_partitions_of_an_mbr_are_primary() -> None:
    layout = planned(40 * MIB, 128 * MIB, 128 * MIB, 64 * MIB)

    assert [area.number for area in layout.partitions] == [1, 2, 3, 4]
    assert not [area for area in layout.areas if area.kind in ("extended", "link")]
    assert [area.offset // MIB for area in layout.partitions] == [24, 64, 192, 320]


@pytest.mark.parametrize(
    "area",
    [
        Area(kind="reserved", name="loader", offset=0, size=8 * KIB),
        Area(kind="reserved", name="loader", offset=4 * MIB - 512, size=1024),
        Area(kind="reserved", name="loader", offset=8 * MIB + 128 * KIB - 512, size=512),
        Area(kind="reserved", name="loader", offset=20 * MIB, size=5 * MIB),
    ],
    ids=["table", "environment 1", "environment 2", "partition"],
)
def test_a_reserved_area_in_the_way_is_refused(area: Area) -> None:
    with pytest.raises(LayoutError, match=r"loader .* overlaps|overlaps .*loader"):
        planned(40 * MIB, fixed=(*ENVIRONMENT, area))


def test_the_backup_of_a_gpt_is_kept_free() -> None:
    fits = planned(36 * MIB, size=64 * MIB, table="gpt", start=24 * MIB)

    assert fits.partition("p1").end == 60 * MIB
    with pytest.raises(LayoutError, match="overlaps"):
        planned(40 * MIB, size=64 * MIB, table="gpt", start=24 * MIB)


def test_a_disk_that_is_too_small_says_by_how_much() -> None:
    with pytest.raises(LayoutError, match=r"p2 .* ends 40 MiB after the end of the storage"):
        planned(40 * MIB, 40 * MIB, size=64 * MIB)


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({"size": 1000}, "not a whole number of sectors"),
        ({"size": 0}, "not a whole number of sectors"),
        ({"alignment": 3 * MIB}, "not a power of two"),
        ({"alignment": 256}, "not a power of two"),
        ({"size": (1 << 32) * SECTOR + SECTOR}, "an MBR ends at 2 TiB"),
    ],
)
def test_an_impossible_disk_is_refused(settings: dict[str, int], finding: str) -> None:
    with pytest.raises(LayoutError, match=finding):
        planned(40 * MIB, **settings)  # type: ignore[arg-type]


def test_a_partition_without_a_size_is_refused() -> None:
    with pytest.raises(LayoutError, match="p2: a size of 0 B is not possible"):
        planned(1 * MIB, 0)


def test_two_areas_of_one_name_are_refused() -> None:
    with pytest.raises(LayoutError, match="p1: two areas of the disk have this name"):
        planned(40 * MIB, fixed=(Area(kind="reserved", name="p1", offset=1 * MIB, size=512),))


@pytest.mark.parametrize(
    ("start", "table", "places"),
    [
        (24 * MIB, "mbr", (12 * MIB, 23 * MIB)),
        (4 * MIB, "gpt", (2 * MIB, 3 * MIB)),
        (3 * MIB, "gpt", (MIB, 2 * MIB)),
        (2 * MIB, "gpt", ()),
        (MIB, "mbr", ()),
    ],
)
def test_the_second_home_is_in_two_places_before_the_first_partition(
    start: int, table: TableKind, places: tuple[int, ...]
) -> None:
    layout = planned(40 * MIB, start=start, table=table, alignment=MIB, fixed=())

    assert second_home(layout) == places


@pytest.mark.parametrize("taken", [n for n in range(24) if n not in (4, 8)])
def test_the_second_home_overlaps_nothing(taken: int) -> None:
    firmware = Area(kind="reserved", name="firmware", offset=taken * MIB + 512, size=MIB - 512)
    layout = planned(40 * MIB, fixed=(*ENVIRONMENT, firmware))

    first, second = second_home(layout)

    assert second - first >= MIB
    for area in layout.areas:
        for at in (first, second):
            assert area.end <= at or at + SECOND_HOME <= area.offset
