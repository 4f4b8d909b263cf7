# SPDX-License-Identifier: Apache-2.0
"""Partition tables of random layouts, read back by sfdisk."""

import json
import tempfile
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.image.partitions import read_table
from ota_artifact.layout import SECTOR, Layout
from ota_artifact.run import run
from ota_board.layout import Wish, plan
from ota_image.disk.identity import identity_of
from ota_image.disk.table import write_table
from tests.conftest import requires_program

pytestmark = requires_program("sfdisk", package="fdisk")

KIB = 1024


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Disks with three to twelve partitions."""
    alignment = draw(st.sampled_from([KIB, 4 * KIB, 64 * KIB, 1024 * KIB, 4096 * KIB]))
    sizes = draw(st.lists(st.integers(1, 16 << 20), min_size=3, max_size=12))
    names = ["boot", "A", "B", *(f"extra-{number}" for number in range(9))]
    return plan(
        size=512 << 20,
        device="/dev/mmcblk0",
        table=draw(st.sampled_from(["mbr", "gpt"])),
        start=draw(st.integers(0, 24 << 20)) // alignment * alignment + alignment * 32,
        alignment=alignment,
        partitions=[Wish(*each) for each in zip(names, sizes, strict=False)],
    )


@pytest.mark.boot
@settings(max_examples=40, deadline=None)
@given(layouts())
def test_any_layout_is_read_back_by_sfdisk(layout: Layout) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(layout.size)
        disk = Path(file.name)

        write_table(disk, layout, identity_of(b"test"))

        said = json.loads(run(("sfdisk", "--json", disk), timeout=10))["partitiontable"]
        read = read_table(disk).partitions
        links = [area.offset for area in layout.areas if area.kind == "link"]
        found = [offset for offset in links if _is_link(file, offset)]
    assert found == links
    wanted = [(area.number, area.offset, area.size) for area in layout.partitions]
    shown = [
        (_number(each["node"], file.name), each["start"] * SECTOR, each["size"] * SECTOR)
        for each in said["partitions"]
        if each["type"] != "5"
    ]
    assert shown == wanted
    assert [(each.number, each.offset, each.size) for each in read] == wanted
    assert said["label"] == {"mbr": "dos", "gpt": "gpt"}[layout.table]


def _is_link(disk: IO[bytes], offset: int) -> bool:
    """Whether there is the table of a logical partition: entries, and its signature."""
    disk.seek(offset + 446)
    data = disk.read(66)
    return any(data[:32]) and data[64:] == b"\x55\xaa"


def _number(node: str, disk: str) -> int:
    return int(node.removeprefix(disk).removeprefix("p"))


def test_identifiers_follow_from_the_inputs(tmp_path: Path) -> None:
    one, other = identity_of(b"a", b"bc"), identity_of(b"ab", b"c")

    assert one == identity_of(b"a", b"bc")
    assert one.guid("disk") != other.guid("disk")
    assert one.number("disk") != one.number("boot")
