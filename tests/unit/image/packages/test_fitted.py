# SPDX-License-Identifier: Apache-2.0
"""Slots grow for a recipe only if no device has them yet."""

from dataclasses import replace

import pytest

from ota_board.load import load_board
from ota_board.size import MIB
from ota_image.errors import ImageError
from ota_image.packages.recipe import fitted, load_recipe
from tests.house.tree import ROOT

BOARDS = ROOT / "boards"
RECIPE = load_recipe(ROOT / "images" / "debian.yaml")


@pytest.mark.parametrize("name", ["qemu-arm64", "qemu-arm", "qemu-x86-64"])
def test_a_qemu_machine_gets_larger_slots_on_a_disk_of_a_power_of_two(name: str) -> None:
    board = fitted(load_board(BOARDS / name), RECIPE)

    assert board.layout.partition("A").size == board.layout.partition("B").size == RECIPE.slot
    assert board.storage.size.bit_count() == 1
    assert board.storage.size == 1024 * MIB


def test_a_board_stays_as_it_is_for_a_recipe_that_needs_no_more() -> None:
    board = load_board(BOARDS / "qemu-arm64")

    assert fitted(board, load_recipe(ROOT / "images" / "minimal.yaml")) is board
    assert fitted(board, replace(RECIPE, slot=board.partitions.slot)) is board


def test_a_real_board_whose_slots_are_too_small_is_named_with_the_field() -> None:
    board = load_board(BOARDS / "beaglebone-black")

    with pytest.raises(ImageError, match=r"beaglebone-black/board\.yaml: partitions\.slots\.size: "
                       r"256 MiB is too small; make it 512 MiB for the image debian"):  # fmt: skip
        fitted(board, replace(RECIPE, slot=512 * MIB))


def test_a_disk_says_itself_that_it_grows_whatever_the_board_is_called() -> None:
    machine = load_board(BOARDS / "qemu-arm64")
    field = replace(machine, storage=replace(machine.storage, grows=False))

    assert fitted(replace(machine, name="mine"), RECIPE).storage.size == 1024 * MIB
    with pytest.raises(ImageError, match="too small"):
        fitted(field, RECIPE)
