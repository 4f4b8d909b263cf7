# SPDX-License-Identifier: Apache-2.0
"""The files that are rendered for a board: all have the same offsets."""

import pytest

from ota_artifact.layout import from_json
from ota_board.board import Board
from ota_board.load import all_boards, load_board
from ota_board.render import rendered
from tests.house.tree import ROOT

BOARDS = [load_board(path) for path in all_boards([ROOT / "boards"])]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_layout_of_a_board_is_rendered_with_it(board: Board) -> None:
    assert from_json(rendered(board)["layout.json"].encode()) == board.layout


def test_linux_and_u_boot_are_told_the_same_places() -> None:
    (board,) = [each for each in BOARDS if each.name == "qemu-arm64"]

    files = rendered(board)

    assert files["fw_env.config"] == (
        "/dev/mmcblk0 0x400000 0x20000\n/dev/mmcblk0 0x800000 0x20000\n"
    )
    fragment = files["u-boot.cfg"].splitlines()
    assert "CONFIG_ENV_OFFSET=0x400000" in fragment
    assert "CONFIG_ENV_OFFSET_REDUND=0x800000" in fragment
    assert "CONFIG_ENV_SIZE=0x20000" in fragment


def test_redundancy_is_asked_for_in_the_old_spelling_and_the_new() -> None:
    (board,) = [each for each in BOARDS if each.name == "beaglebone-black"]

    fragment = rendered(board)["u-boot.cfg"].splitlines()

    assert {"CONFIG_ENV_REDUNDANT=y", "CONFIG_SYS_REDUNDAND_ENVIRONMENT=y"} <= set(fragment)


def test_grub_has_no_raw_environment() -> None:
    (board,) = [each for each in BOARDS if each.name == "qemu-x86-64"]

    files = rendered(board)

    assert sorted(files) == [
        "board",
        "fstab",
        "grub.cfg",
        "layout.json",
        "mender_grubenv.config",
        "ota.env",
    ]
    assert files["fstab"].splitlines()[1].startswith("/dev/vda4 /data ext4 ")
