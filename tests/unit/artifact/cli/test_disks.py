# SPDX-License-Identifier: Apache-2.0
"""Disk images of other layouts: a file lands where it belongs, or nothing is written at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.filesystem import Filesystem, open_filesystem
from ota_artifact.image.partitions import read_table
from tests.unit.artifact.cli.conftest import Command, state_of
from tests.unit.artifact.image.conftest import MIB, Tool

BIOS = "type=21686148-6449-6E6F-744E-656564454649"
ESP = "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B"

Parts = Sequence[tuple[str, str]]
"""What sfdisk is told of each partition, and what goes into it: vfat, root, data, or nothing."""

Make = Callable[[str, Parts], Path]


@pytest.fixture
def make(tool: Tool, tmp_path: Path, make_ext: Callable[..., Path], vfat: Path) -> Make:
    """Make a disk of partitions of 4 MiB."""
    root = make_ext("root.ext4")
    data = tmp_path / "data.ext4"
    tool("mke2fs", "-q", "-t", "ext4", data, "4M")
    contents = {"root": root, "data": data, "vfat": vfat}

    def disk(label: str, parts: Parts) -> Path:
        path = tmp_path / "disk.img"
        with path.open("wb") as file:
            file.truncate(48 * MIB)
        script = "".join(f"size=8192, {words}\n" for words, _ in parts)
        tool("sfdisk", "-q", "--no-reread", path, stdin=f"label: {label}\n{script}")
        with path.open("r+b") as file:
            for each, (_, content) in zip(read_table(path).partitions, parts, strict=True):
                file.seek(each.offset)
                file.write(contents[content].read_bytes() if content else b"")
        return path

    return disk


def part(disk: Path, number: int) -> Filesystem:
    (found,) = [each for each in read_table(disk).partitions if each.number == number]
    return open_filesystem(disk, found.offset, found.size)


NAMED = (
    (f"{BIOS}, name=bios", ""),
    (f"{ESP}, name=ESP", "vfat"),
    ("name=A", "root"),
    ("name=B", "root"),
    ("name=data", "data"),
)
"""GRUB's usual disk, whose partitions have names."""


def test_a_key_lands_on_data_and_not_in_a_slot(command: Command, make: Make, source: Path) -> None:
    disk = make("gpt", NAMED)

    command.ok("cp", source, f"{disk}:/data/device.key")

    assert part(disk, 5).exists("/device.key")
    assert not part(disk, 4).exists("/device.key")
    assert command.ok("cat", f"{disk}:/data/device.key").raw == b"new\n"


def test_a_file_of_the_system_lands_in_both_slots_and_not_on_the_esp(
    command: Command, make: Make, source: Path
) -> None:
    disk = make("gpt", NAMED)

    command.ok("install", "-m", "600", source, f"{disk}:/etc/new")
    command.ok("cp", source, f"{disk}:/boot/efi/new.txt")

    assert [part(disk, number).exists("/etc/new") for number in (2, 3, 4)] == [False, True, True]
    assert part(disk, 2).names("/") == ("new.txt",)


def test_a_new_name_is_in_both_slots_and_nothing_is_made_on_the_esp(
    command: Command, make: Make
) -> None:
    disk = make("gpt", NAMED)

    command.ok("modify", disk, "-n", "v9")

    for number in (3, 4):
        assert part(disk, number).exists("/etc/mender/artifact_info")
    assert part(disk, 2).names("/") == ()


REFUSED: dict[str, tuple[str, Parts]] = {
    "extra partitions without names": (
        "gpt",
        (("", "vfat"), ("", "root"), ("", "root"), ("", "data"), ("", "data")),
    ),
    "three": ("gpt", (("", "vfat"), ("", "root"), ("", "root"))),
    "Raspberry Pi OS": ("dos", (("type=c", "vfat"), ("type=83", "root"))),
    "data twice": ("gpt", (*NAMED, ("name=Data", "data"))),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize(
    "words",
    [
        ("cat", "D:/data/x"),
        ("cat", "D:/etc/hostname"),
        ("cp", "D:/etc/hostname", "out"),
        ("cp", "source", "D:/data/key"),
        ("cp", "source", "D:/etc/x"),
        ("install", "-d", "D:/data/x"),
        ("rm", "D:/etc/hostname"),
        ("modify", "D", "-n", "v2"),
        ("modify", "D", "-u", "https://example.com"),
    ],
)
def test_a_disk_that_does_not_say_what_is_what_is_refused_and_stays_as_it_is(
    command: Command, make: Make, source: Path, case: str, words: tuple[str, ...]
) -> None:
    disk = make(*REFUSED[case])
    before = state_of(disk)

    done = command(*(word.replace("D", str(disk)) if "D" in word else word for word in words))

    assert done.code == 1
    assert done.err.startswith(f"ota-artifact: {disk}: ")
    assert "  no  offset" in done.err
    assert (done.raw, state_of(disk)) == (b"", before)


def test_a_slot_that_does_not_hold_a_system_gets_no_folder(command: Command, make: Make) -> None:
    disk = make("dos", (("", "vfat"), ("", "root"), ("", "vfat"), ("", "data")))
    (disk.parent / "note").write_text("x")
    command.ok("cp", disk.parent / "note", f"{disk}:/uboot/note")
    with disk.open("r+b") as file:  # slot B: a vfat with a file in it
        file.seek(MIB)
        content = file.read(4 * MIB)
        file.seek(9 * MIB)
        file.write(content)
    before = state_of(disk)

    done = command("modify", disk, "-n", "v2")

    assert done.code == 1
    assert "slot B: has no folder /etc: it is not a root" in done.err
    assert state_of(disk) == before


def test_a_filesystem_that_is_not_a_root_filesystem_gets_no_folder(
    command: Command, vfat: Path
) -> None:
    before = state_of(vfat)

    done = command("modify", vfat, "-n", "v2")

    assert done.code == 1
    assert ": has no folder /etc" in done.err
    assert state_of(vfat) == before


def test_an_artifact_whose_filesystem_is_not_a_root_filesystem_is_renamed_alone(
    command: Command, vfat: Path
) -> None:
    options = ("-n", "v1", "-c", "board", "-f", vfat, "-o", "a.mender")
    command.ok("write", "rootfs-image", *options)

    command.ok("modify", "a.mender", "-n", "v2")

    assert "Name: v2" in command.ok("read", "a.mender").out
    assert command("cat", "a.mender:/etc/mender/artifact_info").code == 1
    assert command("modify", "a.mender", "-u", "https://example.com").code == 1


def test_a_disk_with_sectors_of_4096_bytes_is_read(
    command: Command, tool: Tool, tmp_path: Path, make_ext: Callable[..., Path], source: Path
) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(32 * MIB)
    sizes = [(256 + number * 1024, 256 + number * 1024 + 1023) for number in range(4)]
    script = "g\n" + "".join(f"n\n{n}\n{a}\n{b}\n" for n, (a, b) in enumerate(sizes, 1)) + "w\n"
    tool("fdisk", "-b", "4096", disk, stdin=script)
    with disk.open("r+b") as file:
        for start in (5, 9, 13):
            file.seek(start * MIB)
            file.write(make_ext(f"{start}.ext4").read_bytes())

    command.ok("cp", source, f"{disk}:/data/key")

    assert ExtFilesystem(disk, 13 * MIB, 4 * MIB).exists("/key")


def test_a_damaged_first_gpt_is_a_warning_and_the_backup_is_read(
    command: Command, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    disk = make("gpt", NAMED)
    with disk.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))

    assert command.ok("cat", f"{disk}:/etc/hostname").raw == b"old\n"
    assert f"{disk}: the first GPT is missing; the backup is read" in caplog.text


def test_a_link_of_a_slot_that_leads_to_data_is_refused_with_the_right_path(
    command: Command, make: Make, tool: Tool, source: Path
) -> None:
    disk = make("gpt", NAMED)
    offsets = [each.offset for each in read_table(disk).partitions if each.number in (3, 4)]
    for offset in offsets:
        for each in (
            "mkdir /data",
            "mkdir /data/mender",
            "mkdir /var",
            "symlink /var/m /data/mender",
        ):
            tool("debugfs", "-w", "-R", each, f"{disk}?offset={offset}")
    before = disk.read_bytes()

    written = command("cp", source, f"{disk}:/var/m/key.pem")
    read = command("cat", f"{disk}:/var/m/key.pem")

    finding = "/var/m/key.pem leads to /data/mender/key.pem, which is on another partition"
    assert written.code == read.code == 1
    assert finding in written.err
    assert finding in read.err
    assert disk.read_bytes() == before
    command.ok("rm", f"{disk}:/var/m")
    assert part(disk, 3).kind("/var/m") is None
