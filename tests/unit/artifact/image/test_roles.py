# SPDX-License-Identifier: Apache-2.0
"""Which partition is boot, A, B and data, shown with tables as sfdisk writes them."""

from pathlib import Path

import pytest

from ota_artifact.image.partitions import read_table
from tests.unit.artifact.image.conftest import Tool
from tests.unit.artifact.image.tables import disk_of, numbers, refusal, roles_of, rows

BIOS = "21686148-6449-6E6F-744E-656564454649"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928"
SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
BOOT_LABELS = ["boot", "BOOT", "esp", "EFI", "EFI System Partition", "efi-system"]


# Without layout.json and names: Mender's order, and exactly four.

FOUR = rows("type=c", "type=83", "type=83", "type=83")


@pytest.mark.parametrize(
    ("script", "found"),
    [
        pytest.param(f"label: dos\n{FOUR}", (1, 2, 3, 4), id="sdimg of meta-mender"),
        pytest.param(f"label: gpt\n{rows('', '', '', '')}", (1, 2, 3, 4), id="gptimg"),
        pytest.param(f"label: gpt\n{rows(f'type={ESP}', '', '', '')}", (1, 2, 3, 4), id="uefiimg"),
        pytest.param(
            "label: gpt\n" + rows(f"type={ESP}, name=ESP", *["name=primary"] * 3),
            (1, 2, 3, 4),
            id="gpt of mender-convert",
        ),
        pytest.param(
            "label: gpt\n" + rows(*["name=primary"] * 3, f"type={SWAP}, name=swap", "name=primary"),
            (1, 2, 3, 5),
            id="swap before data",
        ),
        pytest.param(
            "label: dos\n"
            + rows("type=c", "type=83", "type=83")
            + "size=65536, type=f\n"
            + rows("type=82", "type=83"),
            (1, 2, 3, 6),
            id="swap before data in an extended partition",
        ),
        pytest.param(
            f"label: gpt\n{rows(f'type={BIOS}', f'type={ESP}', '', '', '')}",
            (2, 3, 4, 5),
            id="BIOS boot aside",
        ),
        pytest.param(
            f"label: gpt\n{rows('name=boot', '', '', 'name=data')}", (1, 2, 3, 4), id="half named"
        ),
    ],
)
def test_exactly_four_partitions_that_can_hold_files_are_in_menders_order(
    tmp_path: Path, tool: Tool, script: str, found: tuple[int, ...]
) -> None:
    roles = roles_of(disk_of(tmp_path, tool, script))

    assert numbers(roles) == found
    assert roles.source == "order"


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        pytest.param(
            f"label: dos\n{rows('', '')}", "2 partitions can hold files, not four", id="2"
        ),
        pytest.param(
            "label: dos\n" + rows(*["type=83"] * 3), "3 partitions can hold files", id="3"
        ),
        pytest.param(
            f"label: gpt\n{rows('', '', '', '', '')}", "5 partitions can hold files", id="5 on GPT"
        ),
        pytest.param(
            "label: dos\n" + rows(*["type=83"] * 3) + "size=65536, type=5\n" + rows("", ""),
            "5 partitions can hold files, not four, and no layout.json and no name in a GPT says"
            " which is boot, A, B, data",
            id="5 on MBR",
        ),
        pytest.param(
            "label: gpt\n" + rows(*["name=primary"] * 4, "name=logs"),
            "5 partitions can hold files",
            id="extra partition of meta-mender",
        ),
        pytest.param(
            f"label: gpt\n{rows(f'type={BIOS}', '', '', '')}",
            "3 partitions can hold files",
            id="BIOS boot does not count",
        ),
        pytest.param(
            f"label: gpt\n{rows('', f'type={ESP}', '', '')}",
            "partition 2 is boot by its name or type, and partition 1 by its place",
            id="an ESP that is not first",
        ),
        pytest.param(
            f"label: dos\n{rows('', '', 'type=ef', '')}",
            "partition 3 is boot by its name or type, and partition 1 by its place",
            id="an ESP that is not first on MBR",
        ),
        pytest.param(
            f"label: gpt\n{rows('', 'name=B', '', '')}",
            "partition 2 is B by its name or type, and partition 3 by its place",
            id="a name that contradicts the order",
        ),
        pytest.param(
            "label: dos\nsize=8192\nsize=8192\nsize=12288\nsize=8192\n",
            "slot A would be partition 2 with 4 MiB, slot B partition 3 with 6 MiB",
            id="slots of two sizes",
        ),
        pytest.param(
            "label: dos\n" + rows("type=c", "type=83", "type=83", "type=a2"),
            "partition 4 is of type a2, which is not known to hold files",
            id="a bootloader's raw partition",
        ),
        pytest.param(
            "label: gpt\n" + rows("", "", "", f"type={LVM}"),
            f"partition 4 is of type {LVM}, which is not known to hold files",
            id="LVM",
        ),
        pytest.param(
            "label: dos\n" + rows("type=83", "type=83", "type=c", "type=83"),
            "slot A would be partition 2 of type 83 (Linux), slot B partition 3 of type 0c (FAT32)",
            id="slots of two types",
        ),
        pytest.param(
            "label: dos\n" + rows("type=83", "type=c", "type=c", "type=83"),
            "slot A would be partition 2 of type 0c (FAT32), which holds no root filesystem",
            id="slots of a type without links",
        ),
    ],
)
def test_what_is_not_certain_is_refused_with_the_table(
    tmp_path: Path, tool: Tool, script: str, finding: str
) -> None:
    disk = disk_of(tmp_path, tool, script)

    said = refusal(disk)

    assert said.startswith(f"{disk}: ")
    assert finding in said
    assert "compose the image with ota-image, which adds layout.json" in said
    assert said.splitlines()[1].split() == ["no", "offset", "size", "type", "label"]
    assert len(said.splitlines()) == 2 + len(read_table(disk).partitions)


# GPT names and types.


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param(
            ("name=boot", "name=A", "name=B", "name=logs", "name=data"),
            (1, 2, 3, 5),
            id="ours with an extra partition",
        ),
        pytest.param(
            ("name=data", "name=B", "name=A", "name=boot"), (4, 3, 2, 1), id="another order"
        ),
        pytest.param(
            (f"type={BIOS}", f"type={ESP}", "name=A", "name=B", "name=DATA"),
            (2, 3, 4, 5),
            id="GRUB with BIOS boot, and names in capitals",
        ),
        pytest.param(
            (
                "name=loader1",
                f'type={ESP}, name="EFI system partition"',
                "name=rootfs_a",
                "name=rootfs_b",
                f"type={SWAP}",
                "name=data",
            ),
            (2, 3, 4, 6),
            id="GRUB with swap",
        ),
        pytest.param(
            (f"type={ESP}, name=boot", "name=root-a", "name=root-b", "name=data", "name=x"),
            (1, 2, 3, 4),
            id="name and type of one partition",
        ),
    ],
)
def test_names_and_types_of_a_gpt_count(
    tmp_path: Path, tool: Tool, entries: tuple[str, ...], found: tuple[int, ...]
) -> None:
    roles = roles_of(disk_of(tmp_path, tool, f"label: gpt\n{rows(*entries)}"))

    assert numbers(roles) == found
    assert roles.source == "GPT names"


@pytest.mark.parametrize("label", BOOT_LABELS)
def test_the_boot_partition_has_many_names(tmp_path: Path, tool: Tool, label: str) -> None:
    entries = ("name=x", f'name="{label}"', "name=A", "name=B", "name=data")

    roles = roles_of(disk_of(tmp_path, tool, f"label: gpt\n{rows(*entries)}"))

    assert numbers(roles) == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("entries", "finding"),
    [
        pytest.param(
            ("name=boot", "name=A", "name=B", "name=data", "name=data"),
            "partitions 4 and 5 both are data by their names or types",
            id="data twice",
        ),
        pytest.param(
            ("name=boot", "name=A", "name=B", "name=data", "name=DATA"),
            "partitions 4 and 5 both are data",
            id="data twice, in another case",
        ),
        pytest.param(
            ("name=boot", "name=A", "name=rootfs_A", "name=B", "name=data"),
            "partitions 2 and 3 both are A",
            id="two names of slot A",
        ),
        pytest.param(
            ("name=boot", f"type={ESP}", "name=A", "name=B", "name=data"),
            "partitions 1 and 2 both are boot",
            id="boot and ESP",
        ),
        pytest.param(
            ("name=boot", "name=A", "name=a", "name=data"),
            "partitions 2 and 3 both are A",
            id="four, and A twice",
        ),
        pytest.param(
            (f"type={ESP}, name=A", "name=B", "name=x", "name=data"),
            "partition 1 is both boot and A",
            id="an ESP that is called A",
        ),
        pytest.param(
            ("name=boot", "name=A", "name=B", "name=persistent", "name=logs"),
            "no layout.json and no name in a GPT says which is data",
            id="data has another name",
        ),
        pytest.param(
            ("name=boot", "name=A", "name=B", f"type={SWAP}, name=data"),
            "3 partitions can hold files, not four",
            id="swap that is called data",
        ),
    ],
)
def test_names_that_are_not_certain_are_refused(
    tmp_path: Path, tool: Tool, entries: tuple[str, ...], finding: str
) -> None:
    said = refusal(disk_of(tmp_path, tool, f"label: gpt\n{rows(*entries)}"))

    assert finding in said
    assert "sgdisk -c 4:data" in said


def test_named_slots_of_two_sizes_are_refused(tmp_path: Path, tool: Tool) -> None:
    script = "label: gpt\n" + rows("name=boot", "name=A", "name=data") + "size=12288, name=B\n"

    said = refusal(disk_of(tmp_path, tool, script))

    assert "slot A would be partition 2 with 4 MiB, slot B partition 4 with 6 MiB" in said


def test_the_backup_of_a_gpt_tells_as_well(tmp_path: Path, tool: Tool) -> None:
    script = "label: gpt\n" + rows("name=boot", "name=A", "name=B", "name=x", "name=data")
    disk = disk_of(tmp_path, tool, script)
    with disk.open("r+b") as file:
        file.seek(512)
        file.write(bytes(1024))

    assert numbers(roles_of(disk)) == (1, 2, 3, 5)
