# SPDX-License-Identifier: Apache-2.0
"""A U-Boot that expects its device tree from the firmware."""

import pytest

from ota_board.board import Board
from ota_board.load import board_folders, find_board, load_board
from ota_image.errors import ImageError
from ota_image.firmware.prior_stage import check_device_tree

EXPECTS = "CONFIG_OF_CONTROL=y\nCONFIG_OF_BOARD=y\n"
FILES = ("/config.txt", "/start.elf", "/u-boot.bin")


def board(name: str) -> Board:
    return load_board(find_board(name, list(board_folders())))


def test_without_a_file_for_the_firmware_to_pass_on_it_is_refused() -> None:
    with pytest.raises(ImageError, match=r"raspberrypi3: .*start\.elf.* no \.dtb; add"):
        check_device_tree(board("raspberrypi3"), EXPECTS, FILES)


def test_with_such_a_file_it_is_taken() -> None:
    check_device_tree(board("raspberrypi3"), EXPECTS, (*FILES, "/bcm2710-rpi-3-b.dtb"))


def test_one_with_a_device_tree_of_its_own_needs_none() -> None:
    embedded = "CONFIG_OF_EMBED=y\n# CONFIG_OF_BOARD is not set\n"

    check_device_tree(board("raspberrypi3"), embedded, FILES)


@pytest.mark.parametrize("name", ["qemu-arm64", "qemu-arm", "beaglebone-black"])
def test_qemu_and_spl_bring_one(name: str) -> None:
    check_device_tree(board(name), EXPECTS, ())
