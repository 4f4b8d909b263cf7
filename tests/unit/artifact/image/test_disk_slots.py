# SPDX-License-Identifier: Apache-2.0
"""What counts as a disk, and which of its slots a path stands for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.image.disk import edit, open_image
from tests.unit.artifact.image.conftest import MIB, Tool
from tests.unit.artifact.image.test_disk import slot, text_of


def test_disk_whose_slots_are_both_empty_is_refused(make_disk: Callable[..., str]) -> None:
    disk = Path(make_disk())
    with disk.open("r+b") as file:
        for start in (6, 11):
            file.seek(start * MIB)
            file.write(bytes(4 * MIB))

    with pytest.raises(ArtifactError, match="no slot has a filesystem"):
        open_image(disk).exists("/etc")


def test_empty_slot_is_left_out(
    make_disk: Callable[..., str], source: Path, tmp_path: Path
) -> None:
    disk = Path(make_disk(both=False))

    with edit(disk) as image:
        image.write_file(source, "/etc/hostname")

    assert text_of(open_image(disk), "/etc/hostname", tmp_path) == "new\n"
    assert not any(disk.read_bytes()[11 * MIB : 15 * MIB])


def test_slot_with_an_empty_filesystem_is_left_out(
    make_disk: Callable[..., str], source: Path, tool: Tool, tmp_path: Path
) -> None:
    disk = Path(make_disk())
    tool("mke2fs", "-q", "-E", f"offset={11 * MIB}", disk, "4M")

    with edit(disk) as image:
        image.write_file(source, "/etc/hostname")
        image.make_directory("/etc/new")

    assert text_of(open_image(disk), "/etc/hostname", tmp_path) == "new\n"
    assert slot(disk, 11).names("/") == ("lost+found",)


def test_two_slots_with_empty_filesystems_are_both_changed(
    make_disk: Callable[..., str], tool: Tool
) -> None:
    disk = Path(make_disk())
    for start in (6, 11):
        tool("mke2fs", "-q", "-E", f"offset={start * MIB}", disk, "4M")

    with edit(disk) as image:
        image.make_directory("/opt")

    assert [slot(disk, start).kind("/opt") for start in (6, 11)] == ["directory"] * 2


def test_disk_that_was_once_a_filesystem_is_a_disk(
    make_disk: Callable[..., str], ext4: Path
) -> None:
    disk = Path(make_disk())
    with disk.open("r+b") as file:
        file.seek(1024)
        file.write(ext4.read_bytes()[1024:2048])

    roles = open_image(disk).roles
    assert roles is not None
    assert roles.data.number == 4


def test_disk_that_was_once_a_filesystem_is_refused_if_its_table_does_not_say_what_is_what(
    tool: Tool, ext4: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(8 * MIB))
    tool("sfdisk", "-q", "--no-reread", disk, stdin="label: dos\nsize=2048\nsize=2048\n")
    with disk.open("r+b") as file:
        file.seek(1024)
        file.write(ext4.read_bytes()[1024:2048])

    with pytest.raises(ArtifactError, match="2 partitions can hold files, not four"):
        open_image(disk)


def test_boot_code_of_a_filesystem_is_not_taken_for_a_table(ext4: Path, tmp_path: Path) -> None:
    with ext4.open("r+b") as file:
        file.seek(446)
        file.write(b"boot error, press a key to continue".ljust(64, b".") + b"\x55\xaa")

    assert text_of(open_image(ext4), "/etc/hostname", tmp_path) == "old\n"


def test_folder_that_a_slot_lacks_is_refused(make_disk: Callable[..., str]) -> None:
    disk = Path(make_disk())
    slot(disk, 11).remove("/etc", recursive=True)

    open_image(disk).require_folder("/usr/bin")
    with pytest.raises(ArtifactError, match="slot B: has no folder /etc:"):
        open_image(disk).require_folder("/etc")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/no/folder", "slot A"),
        ("/data/no/folder", "data partition"),
        ("/uboot/no/folder", "boot partition"),
    ],
)
def test_what_is_wrong_in_a_partition_comes_with_its_name(
    make_disk: Callable[..., str], source: Path, path: str, name: str
) -> None:
    disk = Path(make_disk())

    with pytest.raises(ArtifactError) as caught, edit(disk) as image:
        image.write_file(source, path)

    assert str(caught.value).startswith(f"{disk}: {name}: ")


def test_the_slot_that_lacks_a_folder_is_the_one_in_the_message(
    make_disk: Callable[..., str], source: Path
) -> None:
    disk = Path(make_disk())
    slot(disk, 11).remove("/etc", recursive=True)

    with pytest.raises(ArtifactError) as caught, edit(disk) as image:
        image.write_file(source, "/etc/new")

    assert str(caught.value).startswith(f"{disk}: slot B: /etc: ")
