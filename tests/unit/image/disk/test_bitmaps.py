# SPDX-License-Identifier: Apache-2.0
"""What is in use of an ext4, by its bitmaps, as dumpe2fs tells it of a file."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from ota_artifact.image.workplace import find_program
from ota_artifact.layout import Area
from ota_artifact.run import run
from ota_image.disk.bitmaps import read_bitmaps
from ota_image.disk.identity import Identity
from ota_image.disk.mkfs import Folder, make_ext4
from ota_image.errors import ImageError
from tests.unit.image.disk.small import MIB, ext4

OFFSET = 3 * MIB


def free(kind: str, filesystem: Path) -> set[int]:
    """What dumpe2fs finds free: "blocks" or "inodes"."""
    argv = (find_program("dumpe2fs", package="e2fsprogs"), filesystem)
    said = run(argv, timeout=60, environment={"LC_ALL": "C"}).decode()
    ranges = (
        each.partition("-")
        for line in re.findall(rf"^ +Free {kind}: (.+)$", said, re.MULTILINE)
        for each in line.split(", ")
    )
    return {
        number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)
    }


def members(runs: Iterable[range]) -> set[int]:
    return {number for each in runs for number in each}


@pytest.mark.parametrize("size", [8 * MIB, 160 * MIB, 300 * MIB + 12288])
def test_what_is_in_use_is_what_dumpe2fs_finds_not_free(tmp_path: Path, size: int) -> None:
    for number in range(300):
        path = tmp_path / "files" / str(number % 7) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 97 * number)
    disk, alone = tmp_path / "disk", tmp_path / "alone"
    disk.touch()
    area = Area(kind="partition", name="data", offset=OFFSET, size=size)
    with disk.open("r+b") as file:
        file.truncate(area.end)
    make_ext4(disk, area, Folder(tmp_path / "files"), label="", identity=Identity(b"x"), time=1)
    alone.write_bytes(disk.read_bytes()[OFFSET:])

    found = read_bitmaps(disk, OFFSET)

    assert (found.block_size, found.count) == (4096, size // 4096)
    assert members(found.blocks) == set(range(found.count)) - free("blocks", alone)
    assert len(members(found.inodes)) > 300
    assert not members(found.inodes) & free("inodes", alone)
    assert members(found.inodes) | free("inodes", alone) == set(
        range(1, max(members(found.inodes) | free("inodes", alone)) + 1)
    )


def test_a_filesystem_whose_bitmaps_may_not_be_written_is_refused(tmp_path: Path) -> None:
    foreign = ext4(tmp_path / "foreign.ext4", features="metadata_csum")

    with pytest.raises(ImageError, match="features that its maker here does not use"):
        read_bitmaps(foreign, 0)


def test_what_has_no_superblock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(bytes(4096))

    with pytest.raises(ImageError, match="no ext4 superblock at 1024 B"):
        read_bitmaps(tmp_path / "empty", 0)
