# SPDX-License-Identifier: Apache-2.0
"""Partition tables: what sfdisk writes is read, and what is damaged or hostile is refused."""

import re
import struct
import zlib
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.partitions import SWAP, Partition, describe_table, read_table
from tests.unit.artifact.image.conftest import MIB, Tool


def disk_of(tmp_path: Path, tool: Tool, script: str, size: int = 16 * MIB) -> Path:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(size)
    tool("sfdisk", "-q", "--no-reread", "--no-tell-kernel", disk, stdin=script)
    return disk


def mbr(*entries: tuple[int, int, int]) -> bytes:
    """A sector with (type, start, length) [sectors]."""
    table = b"".join(struct.pack("<4xB3xII", *each) for each in entries)
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


def raw_disk(tmp_path: Path, sectors: dict[int, bytes], size: int = MIB) -> Path:
    disk = tmp_path / "raw.img"
    with disk.open("wb") as file:
        file.truncate(size)
        for at, content in sectors.items():
            file.seek(at * 512)
            file.write(content)
    return disk


def damage(disk: Path, at: int, content: bytes = b"\xff") -> None:
    with disk.open("r+b") as file:
        file.seek(at)
        file.write(content)


GPT = (
    "label: gpt\n"
    "start=2048, size=2048, type=U, name=boot\n"
    "start=6144, size=2048, type=L, name=ümlaut\n"
    "start=4096, size=2048, type=L\n"
)


def test_loop_in_the_chain_of_logical_partitions_is_refused(tmp_path: Path) -> None:
    disk = raw_disk(
        tmp_path,
        {
            0: mbr((5, 100, 1000)),
            100: mbr((0x83, 1, 10), (5, 50, 1)),
            150: mbr((0x83, 1, 10), (5, 50, 1)),
        },
    )

    with pytest.raises(ArtifactError, match="does not end"):
        read_table(disk)


def test_endless_chain_of_logical_partitions_is_refused(tmp_path: Path) -> None:
    tables = {100 + n: mbr((0x83, 1, 1), (5, n + 1, 1)) for n in range(300)}
    disk = raw_disk(tmp_path, {0: mbr((5, 100, 1000)), **tables})

    with pytest.raises(ArtifactError, match="does not end"):
        read_table(disk)


def test_chain_of_logical_partitions_that_leaves_the_image_is_refused(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path, {0: mbr((5, 100, 9)), 100: mbr((0x83, 1, 1), (5, 0xFFFFFFFF, 1))})

    with pytest.raises(ArtifactError, match="beyond the image's end"):
        read_table(disk)


def test_chain_that_leads_to_no_table_is_refused(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path, {0: mbr((5, 100, 9)), 100: mbr((0x83, 1, 1), (5, 7, 1))})

    with pytest.raises(ArtifactError, match="no table of a logical partition at 54784 B"):
        read_table(disk)


def test_partition_beyond_the_end_of_the_image_is_refused(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path, {0: mbr((0x83, 1, 0xFFFFFFFF))})

    assert re.search(r"partition 1 ends at .* it is truncated", read_table(disk).fault)


@pytest.mark.parametrize("size", [0, 1, 511])
def test_truncated_table_is_refused(tmp_path: Path, size: int) -> None:
    disk = tmp_path / "short.img"
    disk.write_bytes(mbr((0x83, 1, 1))[:size])

    with pytest.raises(ArtifactError, match="truncated"):
        read_table(disk)


def test_image_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="neither a partition table nor a filesystem"):
        read_table(raw_disk(tmp_path, {}))


def test_empty_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="table is empty"):
        read_table(raw_disk(tmp_path, {0: mbr()}))


def test_gpt_with_a_damaged_header_is_read_from_its_backup(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    expected = read_table(disk).partitions
    damage(disk, 512 + 40)

    found = read_table(disk)

    assert found.partitions == expected
    assert found.first_fault == "has a header with a wrong checksum"
    assert found.backup_fault == ""


def test_gpt_with_damaged_entries_is_read_from_its_backup(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    expected = read_table(disk).partitions
    damage(disk, 1024 + 33)

    found = read_table(disk)

    assert found.partitions == expected
    assert found.first_fault == "has entries with a wrong checksum"


def test_gpt_whose_header_is_gone_is_read_from_its_backup(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    expected = read_table(disk).partitions
    damage(disk, 512, bytes(512))

    found = read_table(disk)

    assert found.partitions == expected
    assert found.first_fault == "is missing"


def test_gpt_whose_backup_is_gone_or_elsewhere_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    assert read_table(disk).backup_fault == ""
    damage(disk, 16 * MIB - 512 + 40)
    assert read_table(disk).backup_fault == "has a header with a wrong checksum"
    damage(disk, 16 * MIB - 512, bytes(512))
    assert read_table(disk).backup_fault == "is missing"

    with disk.open("r+b") as file:
        file.truncate(20 * MIB)

    found = read_table(disk)
    assert found.backup_fault == "is not in the last sector, but at 16776704 B"
    assert found.first_fault == ""


def test_protective_mbr_without_a_gpt_is_refused(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    damage(disk, 512, bytes(512))
    damage(disk, 16 * MIB - 512, bytes(512))

    with pytest.raises(ArtifactError, match="its MBR says that a GPT follows, and neither"):
        read_table(disk)


def test_gpt_of_a_disk_with_sectors_of_4096_bytes_is_read(tmp_path: Path, tool: Tool) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(16 * MIB)
    script = "g\nn\n1\n256\n511\nn\n2\n512\n767\nw\n"
    tool("fdisk", "-b", "4096", disk, stdin=script)

    table = read_table(disk)

    assert table.sector == 4096
    assert [(each.offset, each.size) for each in table.partitions] == [(MIB, MIB), (2 * MIB, MIB)]
    assert (table.first_fault, table.backup_fault) == ("", "")


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (((0x83, 10, 10), (0x83, 19, 1)), "partitions 1 and 2 overlap; it is damaged"),
        (((0x83, 10, 10), (0x83, 0, 5)), "partition 2 covers the partition table"),
        (((0x83, 10, 10), (0x83, 20, 10)), ""),
    ],
)
def test_partitions_that_overlap_are_a_fault(
    tmp_path: Path, entries: tuple[tuple[int, int, int], ...], fault: str
) -> None:
    found = read_table(raw_disk(tmp_path, {0: mbr(*entries)})).fault

    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_table_is_described_for_people_whatever_its_labels_hold(tmp_path: Path, tool: Tool) -> None:
    script = GPT.replace("ümlaut", "\\x1b[31mred")

    said = describe_table(read_table(disk_of(tmp_path, tool, script))).splitlines()

    assert [line.split() for line in said] == [
        ["no", "offset", "size", "type", "label"],
        ["1", "0x100000", "1", "MiB", "ESP", "boot"],
        ["2", "0x300000", "1", "MiB", "Linux", "'\\x1b[31mred'"],
        ["3", "0x200000", "1", "MiB", "Linux"],
    ]


def test_gpt_with_both_copies_damaged_is_refused_with_what_is_wrong(
    tmp_path: Path, tool: Tool
) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    damage(disk, 512 + 40)
    damage(disk, 16 * MIB - 512 + 40)

    with pytest.raises(ArtifactError, match=r"first one .* wrong checksum; the backup .* wrong"):
        read_table(disk)


@pytest.mark.parametrize(
    ("at", "value", "finding"),
    [
        (80, struct.pack("<I", 0xFFFFFFFF), "4294967295 entries"),
        (84, struct.pack("<I", 1), "entries of 1 B"),
        (84, struct.pack("<I", 0x80000000), "entries of 2147483648 B"),
        (72, struct.pack("<Q", 1 << 60), "beyond the end"),
        (24, struct.pack("<Q", 5), "lies elsewhere"),
        (12, struct.pack("<I", 0xFFFFFFFF), "header of 4294967295 B"),
    ],
)
def test_gpt_with_absurd_numbers_and_a_right_checksum_is_refused(
    tmp_path: Path, tool: Tool, at: int, value: bytes, finding: str
) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    content = bytearray(disk.read_bytes())
    header = content[512:604]
    header[at : at + len(value)] = value
    header[16:20] = bytes(4)
    header[16:20] = struct.pack("<I", zlib.crc32(header))
    content[512:604] = header
    content[-512:] = bytes(512)  # no backup
    disk.write_bytes(content)

    with pytest.raises(ArtifactError, match=finding):
        read_table(disk)


def test_primary_and_logical_partitions_have_linux_numbers(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(
        tmp_path,
        tool,
        "label: dos\n"
        "start=2048, size=2048, type=c\n"
        "start=4096, size=2048, type=83\n"
        "start=6144, size=2048, type=83\n"
        "start=8192, size=16384, type=5\n"
        "start=10240, size=2048, type=83\n"
        "start=14336, size=2048, type=82\n",
    )

    found = read_table(disk).partitions

    assert found == (
        Partition(number=1, offset=MIB, size=MIB, type="0c"),
        Partition(number=2, offset=2 * MIB, size=MIB, type="83"),
        Partition(number=3, offset=3 * MIB, size=MIB, type="83"),
        Partition(number=5, offset=5 * MIB, size=MIB, type="83"),
        Partition(number=6, offset=7 * MIB, size=MIB, type="82"),
    )
    assert [each.number for each in found if each.type in SWAP] == [6]


def test_gpt_partitions_come_in_the_order_of_their_numbers(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)

    found = read_table(disk).partitions

    linux = "0fc63daf-8483-4772-8e79-3d69d8477de4"
    assert found == (
        Partition(
            number=1,
            offset=MIB,
            size=MIB,
            type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            label="boot",
        ),
        Partition(number=2, offset=3 * MIB, size=MIB, type=linux, label="ümlaut"),
        Partition(number=3, offset=2 * MIB, size=MIB, type=linux, label=""),
    )


def test_random_damage_gives_partitions_or_a_clear_refusal(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT, size=5 * MIB)
    sound = disk.read_bytes()
    for at in [*range(446, 512), *range(512, 604), *range(1024, 1300)]:
        disk.write_bytes(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 : 1 << 15])
        try:
            table = read_table(disk)
        except ArtifactError:
            continue
        assert table.fault or all(each.end <= 1 << 15 for each in table.partitions)


# Two tables on one disk. What the kernel, U-Boot, GRUB and sfdisk read is read.


def with_mbr(disk: Path, *entries: tuple[int, int, int]) -> Path:
    damage(disk, 0, mbr(*entries))
    return disk


def test_an_mbr_that_announces_no_gpt_wins_over_one_and_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0x83, 2048, 2048))

    found = read_table(disk)

    assert (found.kind, len(found.partitions)) == ("mbr", 1)
    assert found.conflict.startswith("there is a GPT too, and no entry of type ee in the MBR")


def test_the_backup_of_a_gpt_next_to_an_mbr_is_enough_to_say_so(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0x83, 2048, 2048))
    damage(disk, 512, bytes(512))

    assert "there is a GPT too" in read_table(disk).conflict


def test_a_damaged_gpt_next_to_an_mbr_is_not_a_table(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0x83, 2048, 2048))
    damage(disk, 512 + 40)
    damage(disk, 16 * MIB - 512 + 40)

    assert read_table(disk).conflict == ""


def test_an_empty_mbr_next_to_a_gpt_is_refused_and_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT))

    with pytest.raises(ArtifactError, match="partition table is empty; there is a GPT too"):
        read_table(disk)


def test_a_gpt_that_begins_elsewhere_by_its_mbr_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0xEE, 2, 1000))

    found = read_table(disk)

    assert (found.kind, len(found.partitions)) == ("gpt", 3)
    assert "the entry of type ee in the MBR begins at sector 2, not 1" in found.conflict


def test_a_gpt_without_the_signature_of_an_mbr_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = disk_of(tmp_path, tool, GPT)
    damage(disk, 510, b"\0\0")

    found = read_table(disk)

    assert (found.kind, len(found.partitions)) == ("gpt", 3)
    assert found.conflict.startswith("no MBR announces the GPT")


def test_a_hybrid_mbr_may_repeat_partitions_of_the_gpt(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0xEE, 1, 2047), (0x0C, 2048, 2048))

    found = read_table(disk)

    assert (found.kind, found.conflict) == ("gpt", "")


def test_a_hybrid_mbr_with_a_partition_of_its_own_says_so(tmp_path: Path, tool: Tool) -> None:
    disk = with_mbr(disk_of(tmp_path, tool, GPT), (0x0C, 2048, 2047), (0xEE, 1, 2047))

    found = read_table(disk)

    assert found.kind == "gpt"
    assert found.conflict.startswith("partition 1 of the MBR is not in the GPT")
