# SPDX-License-Identifier: Apache-2.0
"""A good image gives no finding."""

import json
from pathlib import Path

import pytest

from ota_board.grow import with_slots
from ota_image.cli.main import main
from ota_image.disk.boot_state import change
from ota_image.disk.image import open_disk
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import image

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
BOARDS = ("beaglebone-black", "qemu-arm", "qemu-arm64", "qemu-x86-64", "raspberrypi3")


@pytest.mark.boot
@pytest.mark.parametrize("name", BOARDS)
def test_a_composed_image_of_every_board_has_no_hazard(tmp_path: Path, name: str) -> None:
    board = small_board(tmp_path, name)
    path = image(tmp_path, board)

    assert examine(path, board) == []
    assert examine(path) == []


def test_an_image_that_has_run_is_good_with_the_canary(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    change(open_disk(path), {"mender_saveenv_canary": "1", "upgrade_available": "1"})

    assert examine(path, board, is_booted=True) == []


@pytest.mark.boot
@pytest.mark.parametrize("name", ["qemu-arm64", "qemu-x86-64"])
def test_larger_slots_than_the_boards_own_are_allowed_where_the_disk_grows(
    tmp_path: Path, name: str
) -> None:
    board = small_board(tmp_path, name)
    path = image(tmp_path, with_slots(board, 2 * board.partitions.slot))

    assert examine(path, board) == []


def test_the_command_says_that_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)

    assert main(["doctor", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: no hazard found\nwatchdog: ")
    assert main(["doctor", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
