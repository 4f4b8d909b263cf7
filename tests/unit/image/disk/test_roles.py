# SPDX-License-Identifier: Apache-2.0
"""Which partition is which, on images that `compose` makes: one rule for every command."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ota_artifact.cli.main import main as ota_artifact
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.layout import Layout
from ota_artifact.run import run
from ota_board import grub
from ota_board.board import Board
from ota_image.cli.main import main as ota_image
from ota_image.disk.compose import Parts
from ota_image.disk.image import open_disk
from ota_image.doctor.examine import examine
from ota_image.errors import ImageError
from ota_image.flash.check import require_same_sectors, warnings_of
from ota_image.flash.device import Device
from tests.conftest import requires_program
from tests.unit.image.disk.small import MIB, composed, ext4, small_board, tree, variables

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]

MBR, GPT = "qemu-arm64", "qemu-x86-64"


def board_with(folder: Path, name: str, extras: Sequence[str] = ("logs",)) -> Board:
    """A small board with extra partitions of 8 MiB."""
    listed = ", ".join(f"{{label: {label}, size: 8 MiB}}" for label in extras)
    changes = {
        r"^  size: 64 MiB": "  size: 128 MiB",
        r"data: \{size: 8 MiB\}": f"data: {{size: 8 MiB}}\n  extra: [{listed}]",
    }
    return small_board(folder, name, changes)


def image_of(folder: Path, board: Board) -> Path:
    """Its image, with /data/mender/device_type, and in slot A a few files."""
    data = tree(folder / "data", {"mender/device_type": b"device_type=test\n"})
    rootfs = ext4(folder / "rootfs.ext4", tree(folder / "tree"))
    boot = grub.boot_files(board) if board.environment.kind == "grub" else {}
    parts = Parts(rootfs=rootfs, variables=variables(board), boot=boot, data=data)
    return composed(folder, board.layout, parts)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "device.key"
    path.write_text("secret\n")
    return path


def put_layout(image: Path, layout: Layout, content: bytes | None) -> None:
    """Replace layout.json on the boot partition; None removes it."""
    boot = layout.partition("boot")
    filesystem = FatFilesystem(image, boot.offset, boot.size)
    if content is None:
        filesystem.remove("/layout.json")
        return
    (image.parent / "content").write_bytes(content)
    filesystem.write_file(image.parent / "content", "/layout.json")


@pytest.mark.parametrize("name", [MBR, GPT])
@pytest.mark.parametrize(
    ("extras", "number"), [((), (4, 4)), (("logs",), (6, 5)), (("logs", "more", "third"), (8, 7))]
)
def test_a_key_lands_on_data_and_on_nothing_else(
    tmp_path: Path,
    key: Path,
    name: str,
    extras: tuple[str, ...],
    number: tuple[int, int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    board = board_with(tmp_path, name, extras)
    image = image_of(tmp_path, board)

    assert ota_artifact(["cp", str(key), f"{image}:/data/device.key"]) == 0
    assert ota_artifact(["cat", f"{image}:/data/device.key"]) == 0
    assert ota_artifact(["cat", f"{image}:/data/mender/device_type"]) == 0

    assert capfd.readouterr().out == "secret\ndevice_type=test\n"
    assert board.layout.partition("data").number == number[name == GPT]
    for area in board.layout.partitions:
        if area.name != "boot":
            there = ExtFilesystem(image, area.offset, area.size).exists("/device.key")
            assert there == (area.name == "data")


def test_a_file_of_the_system_goes_into_slot_a_while_b_is_empty(tmp_path: Path, key: Path) -> None:
    board = board_with(tmp_path, MBR)
    image = image_of(tmp_path, board)

    assert ota_artifact(["cp", str(key), f"{image}:/etc/new"]) == 0
    assert ota_artifact(["modify", str(image), "-n", "v2"]) == 0

    a, b = (board.layout.partition(name) for name in ("A", "B"))
    assert ExtFilesystem(image, a.offset).exists("/etc/new")
    assert ExtFilesystem(image, b.offset).names("/") == ("lost+found",)


@pytest.mark.parametrize("name", [MBR, GPT])
def test_inspect_and_doctor_name_the_same_partitions(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    board = board_with(tmp_path, name)
    image = image_of(tmp_path, board)

    assert ota_image(["inspect", "--json", str(image)]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["named_by"] == "layout.json"
    named = [(each["number"], each["name"]) for each in said["partitions"]]
    assert named == [(area.number, area.name) for area in board.layout.partitions]
    hazards = {each.hazard for each in examine(image, board)}
    assert not {each for each in hazards if "layout" in each or "partition" in each}


def test_a_gpt_of_ours_without_layout_json_is_named_by_its_gpt(tmp_path: Path, key: Path) -> None:
    board = board_with(tmp_path, GPT)
    image = image_of(tmp_path, board)
    put_layout(image, board.layout, None)

    assert ota_artifact(["cp", str(key), f"{image}:/data/device.key"]) == 0

    assert open_disk(image).source == "GPT names"
    data = board.layout.partition("data")
    assert ExtFilesystem(image, data.offset, data.size).exists("/device.key")


def test_an_mbr_of_ours_with_an_extra_partition_needs_its_layout_json(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = board_with(tmp_path, MBR)
    image = image_of(tmp_path, board)
    put_layout(image, board.layout, None)
    before = image.read_bytes()

    assert ota_artifact(["cp", str(key), f"{image}:/data/device.key"]) == 1
    assert ota_image(["inspect", str(image)]) == 0

    said = capsys.readouterr()
    assert "5 partitions can hold files, not four" in said.err
    assert "MBR, not known which partition is which\n  5 partitions can hold" in said.out
    assert image.read_bytes() == before
    assert "partitions-not-known" in {each.hazard for each in examine(image)}


DAMAGED = b"\xff\xfe\0"


@pytest.mark.parametrize("kind", ["damaged", "of another board"])
def test_a_layout_that_cannot_be_is_an_error_of_every_command(
    tmp_path: Path, key: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    board = board_with(tmp_path, MBR)
    image = image_of(tmp_path, board)
    other = image_of(tmp_path / "other", board_with(tmp_path / "other", MBR, ("logs", "more")))
    boot = FatFilesystem(other, board.layout.partition("boot").offset)
    boot.read_file("/layout.json", tmp_path / "layout")
    content = DAMAGED if kind == "damaged" else (tmp_path / "layout").read_bytes()
    put_layout(image, board.layout, content)
    before = image.read_bytes()
    finding = (
        f"{image}: layout.json on partition 1: is not a layout file: "
        if kind == "damaged"
        else f"{image}: layout.json on partition 1 does not match the partition table: it has a"
        " partition 7, the table does not"
    )

    for command, words in (
        (ota_artifact, ["cp", str(key), f"{image}:/data/device.key"]),
        (ota_artifact, ["cat", f"{image}:/etc/os-release"]),
        (ota_artifact, ["modify", str(image), "-n", "v2"]),
        (ota_image, ["env", "get", str(image)]),
        (ota_image, ["env", "set", str(image), "a=b"]),
        (ota_image, ["flash", str(image), "/dev/null", "--yes"]),
    ):
        assert command(words) == (1 if command is ota_artifact else 2)
        assert finding in capsys.readouterr().err
    assert image.read_bytes() == before
    hazard = "layout-damaged" if kind == "damaged" else "table-not-layout"
    assert hazard in {each.hazard for each in examine(image)}
    assert ota_image(["inspect", str(image)]) == 0
    assert finding.removeprefix(f"{image}: ") in capsys.readouterr().out


def test_grubs_state_is_read_and_set_where_the_boot_partition_is_known_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = board_with(tmp_path, GPT)
    image = image_of(tmp_path, board)
    assert ota_image(["env", "set", str(image), "upgrade_available=1"]) == 0
    put_layout(image, board.layout, None)
    run(("sfdisk", "--part-label", image, "5", "boot"), timeout=10)  # it was data
    before = image.read_bytes()

    assert ota_image(["env", "set", str(image), "upgrade_available=0"]) == 2
    assert ota_image(["env", "get", str(image)]) == 2

    assert "partitions 1 and 5 both are boot by their names" in capsys.readouterr().err
    assert image.read_bytes() == before


def test_a_damaged_first_gpt_is_told_from_a_backup_that_is_elsewhere(tmp_path: Path) -> None:
    board = board_with(tmp_path, GPT)
    image = image_of(tmp_path, board)
    with image.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    first = {each.hazard: each.cause for each in examine(image, board)}
    (said,) = warnings_of(open_disk(image))

    assert "the first copy of the table is missing" in first["first-table-damaged"]
    assert "backup-table-not-at-end" not in first
    assert said == f"{image}: the first GPT is missing"


def test_two_tables_that_disagree_are_a_hazard_and_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    image = image_of(tmp_path, board_with(tmp_path, GPT))
    with image.open("r+b") as file:
        file.seek(446)
        file.write(bytes(4) + b"\x83" + bytes(3) + (2048).to_bytes(4, "little") * 2)
    (said,) = [each for each in warnings_of(open_disk(image)) if "too" in each]
    (found,) = [each for each in examine(image) if each.hazard == "two-tables"]

    assert ota_image(["inspect", str(image)]) == 0
    assert ota_artifact(["cat", f"{image}:/data/x"]) != 0

    assert said.startswith(f"{image}: there is a GPT too, and no entry of type ee")
    assert found.remedy == "remove the one that is left over"
    assert "  there is a GPT too" in capsys.readouterr().out
    assert f"{image}: there is a GPT too" in caplog.text


def test_flash_refuses_a_truncated_image_and_warns_of_one_without_slots(tmp_path: Path) -> None:
    board = board_with(tmp_path, MBR)
    image = image_of(tmp_path, board)
    assert list(warnings_of(open_disk(image))) == []
    put_layout(image, board.layout, None)
    (said,) = warnings_of(open_disk(image))
    os.truncate(image, 40 * MIB)

    assert "is not a disk with slots A and B: " in said
    assert ota_image(["flash", str(image), "/dev/null", "--yes"]) == 2


def test_a_gpt_for_sectors_of_4096_bytes_is_named_and_not_flashed_to_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(32 * MIB)
    sizes = [(256 + number * 1024, 256 + number * 1024 + 1023) for number in range(4)]
    script = "".join(f"n\n{n}\n{a}\n{b}\n" for n, (a, b) in enumerate(sizes, 1))
    run(("fdisk", "-b", "4096", image), timeout=10, stdin=f"g\n{script}w\n".encode())
    disk = open_disk(image)
    small = Device(
        path=Path("/dev/sdb"), size=32 * MIB, sector=512, model="", is_removable=True, is_emmc=False
    )

    assert ota_image(["inspect", str(image)]) == 0
    with pytest.raises(ImageError, match="counts in sectors of 4096 B, and /dev/sdb in sectors of"):
        require_same_sectors(disk, small)

    assert ": 32 MiB, GPT for sectors of 4096 B, " in capsys.readouterr().out
    assert "table-of-other-sectors" in {each.hazard for each in examine(image)}
