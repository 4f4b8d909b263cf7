# SPDX-License-Identifier: Apache-2.0
"""What Yocto's layer knows of a board: fresh in the tree, and read by BitBake as it is meant."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.board import Board
from ota_board.errors import BoardError
from ota_board.load import all_boards, load_board
from ota_board.yocto import include, include_name
from tests.house.tree import ROOT

INCLUDES = ROOT / "meta-ota" / "conf" / "machine" / "include"
BOARDS = [board for path in all_boards([ROOT / "boards"]) if (board := load_board(path)).yocto]


def values(text: str) -> dict[str, str]:
    """The settings of an include."""
    return dict(re.findall(r'^(\S+) = "(.*)"$', text, re.MULTILINE))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_include_in_the_layer_is_fresh(board: Board) -> None:
    committed = (INCLUDES / include_name(board)).read_text("utf-8")

    assert committed == include(board), (
        f"run: ota-board render {board.name} --output DIR, and copy {include_name(board)}"
    )


def test_the_layer_has_no_include_of_a_board_that_is_gone() -> None:
    names = {path.name for path in INCLUDES.iterdir()}

    assert names == {include_name(board) for board in BOARDS}


def test_the_machines_are_those_of_the_boards() -> None:
    assert {board.name: board.yocto.machine for board in BOARDS if board.yocto} == {
        "beaglebone-black": "beaglebone-yocto",
        "qemu-arm64": "qemuarm64",
        "qemu-x86-64": "qemux86-64",
        "raspberrypi3": "raspberrypi3-64",
    }


def test_every_line_is_one_that_bitbake_reads() -> None:
    for board in BOARDS:
        lines = include(board).splitlines()
        assert all(re.fullmatch(r'#.*|[A-Z_]+(:[a-z]+)? = "[^"]*"', line) for line in lines)


def test_a_slot_has_the_size_of_the_layout() -> None:
    (board,) = [each for each in BOARDS if each.name == "qemu-arm64"]

    assert values(include(board))["OTA_SLOT_SIZE"] == str(128 << 20)


def test_firmware_that_stands_twice_on_the_disk_is_named_once() -> None:
    (board,) = [each for each in BOARDS if each.name == "beaglebone-black"]

    assert values(include(board))["OTA_FIRMWARE"] == "MLO u-boot.img"


def test_a_setting_of_the_board_replaces_the_one_that_follows_from_it() -> None:
    (board,) = [each for each in BOARDS if each.name == "raspberrypi3"]

    text = include(board)

    assert values(text)["OTA_CONSOLE"] == "ttyS0"
    assert text.count("OTA_CONSOLE") == 1


def test_a_board_that_yocto_does_not_build_has_none() -> None:
    with pytest.raises(BoardError, match="qemu-arm64: has no 'yocto' in its"):
        include(replace(load_board(ROOT / "boards" / "qemu-arm64"), yocto=None))


@pytest.mark.parametrize(
    ("yocto", "error"),
    [
        ("{machine: Qemu}", "yocto.machine: 'Qemu' must be lower-case letters"),
        ("{machine: qemu, settings: {lower: x}}", "'lower' is no variable of BitBake"),
        (
            "{machine: qemu, settings: {A: 'x\"'}}",
            "A: must have no quote, backslash or",
        ),
        ("{machine: qemu, settings: []}", "yocto.settings: must be a mapping of names to texts"),
    ],
)
def test_what_bitbake_would_misread_is_refused(tmp_path: Path, yocto: str, error: str) -> None:
    text = (ROOT / "boards/qemu-arm64/board.yaml").read_text("utf-8")
    file = tmp_path / "board.yaml"
    file.write_text(text.partition("\nyocto:")[0] + f"\nyocto: {yocto}\n")

    with pytest.raises(BoardError, match=re.escape(error)):
        load_board(file)
