# SPDX-License-Identifier: Apache-2.0
"""layout.json: what `to_json` writes is read, and anything else is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.errors import LayoutError
from ota_artifact.layout import (
    LARGEST,
    Area,
    Layout,
    TableKind,
    from_json,
    node_base,
    read_layout,
    to_json,
)
from ota_artifact.size import GIB, MIB
from ota_board.layout import Wish, plan
from ota_board.load import load_board
from tests.house.tree import ROOT

LAYOUT = load_board(ROOT / "boards" / "qemu-arm64").layout


def changed(**changes: Any) -> bytes:
    """The JSON of LAYOUT with other fields."""
    return json.dumps({**json.loads(to_json(LAYOUT)), **changes}).encode()


def with_area(number: int = 3, **changes: Any) -> bytes:
    """The JSON of LAYOUT with other fields in one area; number 3 is boot."""
    areas = json.loads(to_json(LAYOUT))["areas"]
    areas[number] |= changes
    return changed(areas=areas)


@given(
    table=st.sampled_from(["mbr", "gpt"]),
    sizes=st.lists(st.integers(1, 64 * MIB), min_size=1, max_size=100),
)
def test_a_layout_comes_back_from_its_json(table: TableKind, sizes: list[int]) -> None:
    layout = plan(
        size=16 * GIB,
        device="/dev/mmcblk0",
        table=table,
        start=24 * MIB,
        alignment=4 * MIB,
        partitions=[Wish(f"p{number}", each) for number, each in enumerate(sizes, 1)],
    )

    assert from_json(to_json(layout).encode()) == layout


@pytest.mark.parametrize("board", [path.parent.name for path in ROOT.glob("boards/*/board.yaml")])
def test_the_layout_of_each_board_comes_back(board: str, tmp_path: Path) -> None:
    layout = load_board(ROOT / "boards" / board).layout
    (tmp_path / "layout.json").write_text(to_json(layout))

    assert read_layout(tmp_path / "layout.json") == layout


@pytest.mark.parametrize(
    ("device", "node"), [("/dev/mmcblk0", "/dev/mmcblk0p"), ("/dev/vda", "/dev/vda")]
)
def test_a_node_has_a_p_after_a_digit(device: str, node: str) -> None:
    assert node_base(device) == node


def test_a_partition_is_found_by_its_name() -> None:
    assert LAYOUT.node("A") == "/dev/mmcblk0p2"
    with pytest.raises(KeyError):
        LAYOUT.partition("C")


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (b"7", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b"{}", "the layout: has no field schema"),
        (b'{"schema": 1, "schema": 1}', "the key 'schema' appears twice"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON"),
        (b" " * LARGEST + b"{}", "it is longer than 262144 B"),
        (changed(schema=9), "schema 9 is not known; 1 is"),
        (changed(schema=True), "schema true is not known"),
        (changed(schema={"a": 1}), "schema an object is not known"),
        (changed(more=1), "the layout: has the unknown field 'more'"),
        (changed(device="mmcblk0"), "device: 'mmcblk0' is not the path of a disk"),
        (changed(device="/dev/x\n"), "device: '/dev/x\\\\n' is not"),
        (changed(device=7), "device: 7 is not the path of a disk"),
        (changed(table="sun"), "table: 'sun' is not one of mbr, gpt"),
        (changed(table=["mbr"]), "table: a list is not one of"),
        (changed(size="1 GB"), "size: '1 GB' is not a number"),
        (changed(size=-1), "size: -1 is not a number"),
        (changed(size=1.5), "size: 1.5 is not a number"),
        (changed(size=64 * MIB), "ends 320 MiB after the end of the storage"),
        (changed(areas=[]), "areas: is not a list of 1 to 1024 areas"),
        (changed(areas={}), "areas: is not a list of 1 to 1024 areas"),
        (changed(areas=[{"kind": "table"}] * 1025), "areas: is not a list of 1 to 1024 areas"),
        (changed(areas=[7]), r"areas\[0\]: is not an object"),
        (with_area(offset=-512), r"areas\[3\].offset: -512 is not a number"),
        (with_area(offset=1 << 80), r"areas\[3\].offset: 1208925819614629174706176 is not"),
        (with_area(offset=True), r"areas\[3\].offset: true is not a number"),
        (with_area(offset=1), r"partition boot .* is not a range of whole sectors"),
        (with_area(size=0), r"partition boot .* is not a range of whole sectors"),
        (with_area(size=LAYOUT.size), r"overlaps partition boot"),
        (with_area(kind="slot"), r"areas\[3\]: has the unknown field 'number'"),
        (with_area(kind=["partition"]), r"areas\[3\]: has the unknown field 'number'"),
        (with_area(name=7), r"areas\[3\].name: 7 is not a text"),
        (with_area(name=""), r"'' cannot be the name of an area"),
        (with_area(name="a\x1b[31m"), r"cannot be the name of an area"),
        (with_area(name="x" * 65), r"cannot be the name of an area"),
        (with_area(name="A"), "A: two areas of the disk have this name"),
    ],
)
def test_what_is_not_a_layout_file_is_refused_with_its_place(raw: bytes, finding: str) -> None:
    with pytest.raises(LayoutError, match=rf"layout.json: is not a layout file: .*{finding}"):
        from_json(raw)


@pytest.mark.parametrize("number", [2, 0, -1, 257, 1 << 70])
def test_a_number_that_no_other_partition_has_is_needed(number: int) -> None:
    value = json.loads(to_json(LAYOUT))
    value["areas"][3]["number"] = number

    with pytest.raises(LayoutError, match=r"two are partition 2|is not the number|is not a number"):
        from_json(json.dumps(value).encode())


def test_an_error_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text("{")

    with pytest.raises(LayoutError, match=rf"^{tmp_path}/layout.json: .*`ota-board layout --json"):
        read_layout(tmp_path / "layout.json")


def test_a_layout_whose_only_area_is_an_extended_partition_is_refused() -> None:
    area = Area(kind="extended", name="extended", offset=MIB, size=MIB, number=4)
    layout = Layout(size=GIB, device="/dev/vda", table="mbr", areas=(area,))

    with pytest.raises(LayoutError, match="none of them is a partition"):
        from_json(to_json(layout).encode())
