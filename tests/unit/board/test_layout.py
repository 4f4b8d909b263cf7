# SPDX-License-Identifier: Apache-2.0
"""The layout of a disk: for any input, nothing overlaps and everything is aligned."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_board.errors import LayoutError
from ota_board.layout import (
    SECTOR,
    Area,
    Layout,
    Table,
    Wish,
    from_json,
    node_base,
    plan,
    to_json,
)
from ota_board.size import GIB, KIB, MIB

ENVIRONMENT = (
    Area(kind="environment", name="environment 1", offset=4 * MIB, size=128 * KIB),
    Area(kind="environment", name="environment 2", offset=8 * MIB, size=128 * KIB),
)


def planned(
    *sizes: int,
    size: int = 512 * MIB,
    table: Table = "mbr",
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
    table: Table, sizes: list[int], start: int, shift: int
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


@given(
    table=st.sampled_from(["mbr", "gpt"]),
    sizes=st.lists(st.integers(1, 64 * MIB), min_size=1, max_size=8),
)
def test_a_layout_comes_back_from_its_json(table: Table, sizes: list[int]) -> None:
    layout = planned(*sizes, size=4 * GIB, table=table)

    assert from_json(to_json(layout)) == layout


def test_four_partitions_of_an_mbr_are_primary() -> None:
    layout = planned(40 * MIB, 128 * MIB, 128 * MIB, 64 * MIB)

    assert [area.number for area in layout.partitions] == [1, 2, 3, 4]
    assert not [area for area in layout.areas if area.kind in ("extended", "link")]
    assert [area.offset // MIB for area in layout.partitions] == [24, 64, 192, 320]


@pytest.mark.parametrize(
    ("device", "node"), [("/dev/mmcblk0", "/dev/mmcblk0p"), ("/dev/vda", "/dev/vda")]
)
def test_a_node_has_a_p_after_a_digit(device: str, node: str) -> None:
    assert node_base(device) == node


def test_a_partition_is_found_by_its_name() -> None:
    layout = planned(40 * MIB, 128 * MIB)

    assert layout.node("p2") == "/dev/mmcblk0p2"
    with pytest.raises(KeyError):
        layout.partition("p3")


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
    "text", ["", "[]", "{}", '{"schema": 9}', '{"schema": 1, "size": 1, "areas": [{"x": 1}]}']
)
def test_json_that_is_not_a_layout_is_refused(text: str) -> None:
    with pytest.raises(LayoutError):
        from_json(text)


def test_json_whose_areas_overlap_is_refused() -> None:
    text = to_json(planned(40 * MIB)).replace(str(8 * MIB), str(4 * MIB + 512))

    with pytest.raises(LayoutError, match="overlaps"):
        from_json(text)
