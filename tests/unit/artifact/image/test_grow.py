# SPDX-License-Identifier: Apache-2.0
"""The last partition grows to the end of its disk, and no cut on the way loses the table."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.grow import Growth, Write, carry_out, plan_growth
from ota_artifact.image.partitions import read_table
from ota_artifact.run import run
from tests.conftest import requires_program

pytestmark = requires_program("sfdisk", package="fdisk")

MIB = 1 << 20
SECTOR = 512
BEFORE, AFTER = 64 * MIB, 512 * MIB
ENTRIES = "size=8M, type=uefi\nsize=8M\nsize=8M\n,\n"
TABLES = {
    "mbr": ("label: dos\n" + ENTRIES.replace("uefi", "c"), 4),
    "gpt": ("label: gpt\n" + ENTRIES, 4),
    "logical": ("label: dos\nsize=8M\nsize=8M\nsize=8M\ntype=5\nsize=8M\nsize=8M\n,\n", 7),
}


def disk_of(folder: Path, kind: str) -> Path:
    """A disk that an image of `BEFORE` bytes was written onto."""
    disk = folder / "disk.img"
    disk.touch()
    os.truncate(disk, BEFORE)
    run(("sfdisk", "-q", "--lock=no", disk), timeout=10, stdin=TABLES[kind][0].encode())
    os.truncate(disk, AFTER)
    return disk


def plan(disk: Path, number: int) -> Growth | None:
    with disk.open("rb") as file:
        fd = file.fileno()
        return plan_growth(lambda at, size: os.pread(fd, size, at), disk.stat().st_size, number)


def apply(disk: Path, *writes: Write) -> None:
    with disk.open("r+b", buffering=0) as file:
        for each in writes:
            os.pwrite(file.fileno(), each.data, each.offset)


def read(disk: Path, write: Write) -> Write:
    """What is there now."""
    with disk.open("rb") as file:
        return Write(write.offset, os.pread(file.fileno(), len(write.data), write.offset))


def spans(disk: Path) -> list[tuple[int, int]]:
    """Where sfdisk, a reader of someone else, sees partitions, and how large [sectors]."""
    table = json.loads(run(("sfdisk", "--json", disk), timeout=10))["partitiontable"]
    return [(each["start"], each["size"]) for each in table["partitions"] if each["type"] != "5"]


def torn(write: Write) -> Iterator[Write]:
    """What a cut leaves of a write: its first sectors, or its last ones."""
    for end in range(SECTOR, len(write.data), SECTOR):
        yield Write(write.offset, write.data[:end])
        yield Write(write.offset + end, write.data[end:])


@pytest.mark.parametrize("kind", TABLES)
def test_a_partition_grows_to_the_end_and_then_needs_nothing(tmp_path: Path, kind: str) -> None:
    number = TABLES[kind][1]
    disk, told = disk_of(tmp_path, kind), []
    before = spans(disk)
    growth = plan(disk, number)
    assert growth

    with disk.open("r+b") as file:
        carry_out(growth, file.fileno(), lambda _, each: told.append((each.number, each.size)))

    after = spans(disk)
    assert after[:-1] == before[:-1]
    assert after[-1][0] == before[-1][0] == growth.start // SECTOR
    end = sum(after[-1]) * SECTOR
    assert AFTER - 2 * MIB <= end <= AFTER
    assert told == [(number, after[-1][1] * SECTOR)]
    assert plan(disk, number) is None
    said = run(("sfdisk", "--verify", disk), timeout=10).decode()
    assert "No errors detected" in said
    assert "mismatch" not in said


@pytest.mark.parametrize("kind", TABLES)
def test_a_cut_at_any_sector_of_any_write_leaves_a_table_with_all_partitions(
    tmp_path: Path, kind: str
) -> None:
    number = TABLES[kind][1]
    disk = disk_of(tmp_path, kind)
    before = spans(disk)
    growth = plan(disk, number)
    assert growth
    grown = [*before[:-1], (before[-1][0], growth.size // SECTOR)]

    for write in growth.writes:
        old = read(disk, write)
        for part in torn(write):
            apply(disk, part)

            assert spans(disk) in (before, grown), (part.offset, len(part.data))
            assert len(read_table(disk).partitions) == len(before)
            apply(disk, old)
        apply(disk, write)
        assert spans(disk) in (before, grown), write.offset


def test_the_primary_gpt_is_written_last_and_once(tmp_path: Path) -> None:
    growth = plan(disk_of(tmp_path, "gpt"), 4)

    assert growth
    *backup, primary = growth.writes
    assert all(each.offset > BEFORE for each in backup)
    assert (primary.offset, len(primary.data)) == (0, 3 * SECTOR)


def test_a_primary_gpt_that_a_cut_has_torn_is_written_again(tmp_path: Path) -> None:
    disk = disk_of(tmp_path, "gpt")
    growth = plan(disk, 4)
    assert growth
    apply(disk, *growth.writes)
    head = Write(0, bytes(34 * SECTOR))
    whole = read(disk, head)
    apply(disk, Write(SECTOR, b"\xa5" * SECTOR))

    again = plan(disk, 4)

    assert again
    apply(disk, *again.writes)
    assert read(disk, head) == whole
    assert plan(disk, 4) is None


def test_an_mbr_changes_in_one_sector(tmp_path: Path) -> None:
    growth = plan(disk_of(tmp_path, "mbr"), 4)

    assert growth
    assert [(each.offset, len(each.data)) for each in growth.writes] == [(0, SECTOR)]


@pytest.mark.parametrize("kind", TABLES)
def test_a_disk_of_the_right_size_is_not_written(tmp_path: Path, kind: str) -> None:
    disk = disk_of(tmp_path, kind)
    os.truncate(disk, BEFORE)

    assert plan(disk, TABLES[kind][1]) is None


@pytest.mark.parametrize(
    ("kind", "number", "finding"),
    [
        ("mbr", 3, "another partition lies behind it"),
        ("mbr", 5, "no extended partition"),
        ("logical", 5, "the last logical partition is 7"),
        ("gpt", 2, "another partition lies behind it"),
        ("gpt", 9, "no such partition"),
    ],
)
def test_a_partition_that_cannot_grow_is_refused(
    tmp_path: Path, kind: str, number: int, finding: str
) -> None:
    disk = disk_of(tmp_path, kind)

    with pytest.raises(ArtifactError, match=finding):
        plan(disk, number)


@pytest.mark.parametrize(
    ("offset", "finding"),
    [(0, "not a partition table"), (512, "missing"), (560, "header"), (1024, "entries")],
)
def test_a_damaged_table_is_left_as_it_is(tmp_path: Path, offset: int, finding: str) -> None:
    disk = disk_of(tmp_path, "gpt")
    apply(disk, Write(offset, b"\xa5" * 512 if offset % 512 == 0 else b"\xa5"))

    with pytest.raises(ArtifactError, match=finding):
        plan(disk, 4)
