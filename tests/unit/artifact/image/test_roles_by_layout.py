# SPDX-License-Identifier: Apache-2.0
"""Which partition is which by the layout.json on the boot partition, and layouts that cannot be."""

from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, LayoutError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.layout import Area, Layout, to_json
from tests.unit.artifact.image.conftest import MIB, Tool
from tests.unit.artifact.image.tables import disk_of, numbers, refusal, roles_of, rows

FOUR = "label: dos\n" + rows("type=c", "type=83", "type=83", "type=83")

SCRIPT = "label: dos\n" + rows(*["type=83"] * 3) + "size=65536, type=5\n" + rows("", "")
"""An MBR with two logical partitions, from 1 MiB on."""


def layout(**changes: tuple[int, int, int]) -> Layout:
    """That of SCRIPT: name to number, offset and size [MiB]; changes replace or add some."""
    areas = {
        "boot": (1, 1, 4),
        "A": (2, 5, 4),
        "B": (3, 9, 4),
        "logs": (5, 14, 4),
        "data": (6, 19, 4),
        **changes,
    }
    return Layout(
        size=64 * MIB,
        device="/dev/mmcblk0",
        table="mbr",
        areas=tuple(
            Area(kind="partition", name=name, number=number, offset=at * MIB, size=size * MIB)
            for name, (number, at, size) in areas.items()
            if number
        ),
    )


@pytest.fixture
def disk(tmp_path: Path, tool: Tool, vfat: Path) -> Path:
    """A disk with five partitions, the first a vfat."""
    path = disk_of(tmp_path, tool, SCRIPT)
    with path.open("r+b") as file:
        file.seek(MIB)
        file.write(vfat.read_bytes())
    return path


def put(disk: Path, content: str, *, at: int = 1) -> None:
    """Write a layout.json onto the vfat at an offset [MiB]."""
    source = disk.with_name("new")
    source.write_text(content)
    FatFilesystem(disk, at * MIB, 4 * MIB).write_file(source, "/layout.json")


def test_a_layout_on_the_boot_partition_names_the_partitions(disk: Path) -> None:
    assert "5 partitions can hold files" in refusal(disk)
    put(disk, to_json(layout()))

    roles = roles_of(disk)

    assert numbers(roles) == (1, 2, 3, 6)
    assert roles.source == "layout.json"
    assert roles.layout == layout()
    assert roles.names == {1: "boot", 2: "A", 3: "B", 5: "logs", 6: "data"}


def test_data_may_have_grown_with_the_card(disk: Path) -> None:
    put(disk, to_json(layout(data=(6, 19, 2))))

    assert numbers(roles_of(disk)) == (1, 2, 3, 6)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"data": (6, 19, 8)}, "partition 6, data, has 8 MiB at 0x1300000 there and 4 MiB at"),
        ({"data": (6, 20, 4)}, "partition 6, data, has 4 MiB at 0x1400000 there and 4 MiB at"),
        ({"logs": (5, 14, 2)}, "partition 5, logs, has 2 MiB at 0xe00000 there and 4 MiB at"),
        ({"data": (7, 19, 4)}, "the table has a partition 6, it does not"),
        ({"data": (5, 14, 4), "logs": (6, 19, 4), "A": (3, 9, 4), "B": (2, 5, 4)}, ""),
        ({"logs": (0, 0, 0)}, "the table has a partition 5, it does not"),
        ({"more": (7, 24, 4)}, "it has a partition 7, the table does not"),
        ({"data": (0, 0, 0), "x": (6, 19, 4)}, "it has no partition data"),
        ({"B": (0, 0, 0), "b": (3, 9, 4)}, "it has no partition B"),
        ({"boot": (5, 14, 4), "logs": (1, 1, 4)}, "it has boot as partition 5"),
    ],
)
def test_a_layout_that_does_not_match_the_table_is_an_error_that_says_so(
    disk: Path, changes: dict[str, tuple[int, int, int]], difference: str
) -> None:
    put(disk, to_json(layout(**changes)))
    if not difference:  # another order matches as well
        assert numbers(roles_of(disk)) == (1, 3, 2, 5)
        return

    said = refusal(disk)

    assert "layout.json on partition 1 does not match the partition table: " in said
    assert difference in said


def test_a_layout_of_a_gpt_on_an_mbr_is_an_error(disk: Path) -> None:
    put(disk, to_json(layout()).replace('"mbr"', '"gpt"'))

    assert "it is for GPT, the table is MBR" in refusal(disk)


def test_a_layout_whose_slots_have_two_sizes_is_an_error(
    tmp_path: Path, tool: Tool, vfat: Path
) -> None:
    disk = disk_of(tmp_path, tool, "label: dos\nsize=8192\nsize=8192\nsize=12288\nsize=8192\n")
    with disk.open("r+b") as file:
        file.seek(MIB)
        file.write(vfat.read_bytes())
    put(disk, to_json(layout(B=(3, 9, 6), data=(4, 15, 4), logs=(0, 0, 0))))

    assert "slot A would be partition 2 with 4 MiB" in refusal(disk)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"schema": 1}',
        "[" * 100_000,
        '{"schema": ' + "9" * 5000 + "}",
        to_json(layout()).replace('"offset": 1048576', '"offset": -1048576'),
        to_json(layout()).replace('"number": 2', '"number": 3'),
        to_json(layout()).replace('"A"', '"B"'),
        to_json(layout(A=(2, 2, 4))),
        "\0" * 100,
        " " * (1 << 20),
    ],
    ids=[
        *("empty", "cut", "list", "few fields", "deep", "long number", "negative"),
        *("number twice", "name twice", "overlap", "zeros", "long"),
    ],
)
@pytest.mark.parametrize("script", [SCRIPT, FOUR], ids=["5", "4"])
def test_a_damaged_layout_is_an_error_and_nothing_else_is_asked(
    tmp_path: Path, tool: Tool, vfat: Path, script: str, content: str
) -> None:
    disk = disk_of(tmp_path, tool, script)
    with disk.open("r+b") as file:
        file.seek(MIB)
        file.write(vfat.read_bytes())
    put(disk, content)

    with pytest.raises(LayoutError, match=r"disk.img: layout.json on partition 1: is not a layout"):
        roles_of(disk)


def test_two_layouts_are_refused(disk: Path, vfat: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(14 * MIB)
        file.write(vfat.read_bytes())
    put(disk, to_json(layout()))
    put(disk, to_json(layout()), at=14)

    assert "partitions 1 and 5 each have a layout.json" in refusal(disk)


def test_a_layout_on_another_partition_than_its_boot_is_an_error(disk: Path, vfat: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(14 * MIB)
        file.write(vfat.read_bytes())
    put(disk, to_json(layout()), at=14)

    assert "layout.json on partition 5 does not match" in refusal(disk)


def test_a_boot_partition_that_cannot_be_read_is_an_error(disk: Path) -> None:
    put(disk, to_json(layout()))
    with disk.open("r+b") as file:
        file.seek(MIB + 19)
        file.write(b"\0\0")
        file.seek(MIB + 32)
        file.write(b"\xff\xff\xff\x7f")

    with pytest.raises(ArtifactError, match="it is truncated"):
        roles_of(disk)


def test_a_partition_beyond_the_end_of_the_image_is_an_error(disk: Path) -> None:
    put(disk, to_json(layout()))
    with disk.open("r+b") as file:
        file.truncate(20 * MIB)

    with pytest.raises(ArtifactError, match=r"partition 6 ends at 24117248 B.* it is truncated"):
        roles_of(disk)


# A boot partition with ext4.


def put_ext4(disk: Path, tool: Tool, content: str | None, *, at: int = 1) -> None:
    """Make an ext4 at an offset [MiB], with a layout.json in it or none."""
    made = disk.with_name("new.ext4")
    made.unlink(missing_ok=True)
    tool("mke2fs", "-q", "-t", "ext4", made, "4M")
    if content is not None:
        source = disk.with_name("new")
        source.write_text(content)
        ExtFilesystem(made).write_file(source, "/layout.json")
    with disk.open("r+b") as file:
        file.seek(at * MIB)
        file.write(made.read_bytes())


@pytest.mark.parametrize("script", [SCRIPT, FOUR], ids=["5", "4"])
def test_a_layout_on_an_ext4_boot_partition_counts(tmp_path: Path, tool: Tool, script: str) -> None:
    disk = disk_of(tmp_path, tool, script)
    mine = layout(A=(3, 9, 4), B=(2, 5, 4))
    if script == FOUR:
        mine = layout(A=(3, 9, 4), B=(2, 5, 4), data=(4, 13, 4), logs=(0, 0, 0))
    put_ext4(disk, tool, to_json(mine))

    roles = roles_of(disk)

    assert numbers(roles)[:3] == (1, 3, 2)
    assert roles.source == "layout.json"


def test_a_layout_on_an_ext4_that_is_not_the_first_counts_if_it_is_boot(
    tmp_path: Path, tool: Tool
) -> None:
    disk = disk_of(tmp_path, tool, SCRIPT)
    put_ext4(disk, tool, to_json(layout(boot=(5, 14, 4), logs=(1, 1, 4))), at=14)

    assert numbers(roles_of(disk)) == (5, 2, 3, 6)


@pytest.mark.parametrize("content", ["{}", to_json(layout())], ids=["other", "copy"])
def test_a_file_of_that_name_on_data_or_in_a_slot_is_not_the_layout(
    tmp_path: Path, tool: Tool, content: str
) -> None:
    disk = disk_of(tmp_path, tool, FOUR)
    put_ext4(disk, tool, None)
    for at in (5, 13):
        put_ext4(disk, tool, content, at=at)

    assert roles_of(disk).source == "order"


def test_a_damaged_layout_on_an_ext4_boot_partition_is_an_error(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, FOUR)
    put_ext4(disk, tool, "{")

    with pytest.raises(LayoutError, match=r"layout.json on partition 1: is not a layout"):
        roles_of(disk)


def test_a_damaged_ext4_in_a_slot_keeps_no_other_partition_from_being_known(
    tmp_path: Path, tool: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    disk = disk_of(tmp_path, tool, FOUR)
    put_ext4(disk, tool, None)
    put_ext4(disk, tool, to_json(layout()), at=9)
    with disk.open("r+b") as file:
        file.seek(9 * MIB + 1024 + 4)
        file.write(b"\xff" * 4)

    assert roles_of(disk).source == "order"
    assert "partition 3: is not searched for layout.json: " in caplog.text


@pytest.mark.parametrize("kind", ["directory", "symlink"])
def test_a_layout_json_that_is_not_a_file_is_an_error(
    tmp_path: Path, tool: Tool, kind: str
) -> None:
    disk = disk_of(tmp_path, tool, FOUR)
    put_ext4(disk, tool, None)
    request = "mkdir layout.json" if kind == "directory" else "symlink layout.json nowhere"
    tool("debugfs", "-w", "-R", request, f"{disk}?offset={MIB}")

    with pytest.raises(LayoutError, match=rf"layout.json on partition 1: is a {kind}, not a file"):
        roles_of(disk)
