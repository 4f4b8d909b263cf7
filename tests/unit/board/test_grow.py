# SPDX-License-Identifier: Apache-2.0
"""Slots are made larger only if no device has them yet."""

from pathlib import Path

import pytest

from ota_board.cli.main import main
from ota_board.errors import BoardError
from ota_board.grow import with_slots
from ota_board.load import load_board
from ota_board.size import GIB, MIB
from tests.house.tree import ROOT

BOARDS = ROOT / "boards"


def test_the_disk_of_a_machine_of_qemus_grows_by_powers_of_two() -> None:
    board = with_slots(load_board(BOARDS / "qemu-arm64"), 300 * MIB)

    assert board.layout.partition("A").size == board.layout.partition("B").size == 300 * MIB
    assert board.storage.size == 1 * GIB
    assert board.layout.partition("A").offset == 64 * MIB


def test_slots_are_never_made_smaller() -> None:
    board = load_board(BOARDS / "qemu-arm64")

    assert with_slots(board, 64 * MIB) is board


def test_a_real_board_stays_as_it_is_or_is_refused() -> None:
    board = load_board(BOARDS / "raspberrypi3")

    assert with_slots(board, 256 * MIB) is board
    with pytest.raises(BoardError, match=r"slots\.size: 256 MiB is too small; make it 257 MiB"):
        with_slots(board, 257 * MIB)


@pytest.mark.parametrize("size", [1024 * GIB, 1 << 80])
def test_slots_that_no_disk_has_are_refused(size: int) -> None:
    with pytest.raises(BoardError, match="need a disk of more than 1024 GiB; ask for smaller"):
        with_slots(load_board(BOARDS / "qemu-x86-64"), size)


def test_the_commands_take_the_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slots = ("--boards", str(BOARDS), "--slots", "268435456B")

    assert main(["layout", "qemu-arm64", *slots]) == 0
    assert main(["render", "qemu-arm64", *slots, "--output", str(tmp_path)]) == 0
    assert "0x4000000     256 MiB   2  A\n" in capsys.readouterr().out
    assert '"size": 268435456' in (tmp_path / "layout.json").read_text()
    assert main(["layout", "raspberrypi3", "--boards", str(BOARDS), "--slots", "1 GB"]) == 2
    assert "'1 GB' is not a size" in capsys.readouterr().err
