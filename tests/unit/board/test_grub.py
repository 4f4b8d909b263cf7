# SPDX-License-Identifier: Apache-2.0
"""GRUB's files for a board: its configuration, its state, and a slot's entry."""

from pathlib import Path

from ota_artifact.grub_block import decode_block, decode_copy
from ota_artifact.run import run
from ota_board.grub import boot_files, configuration, entry, mender_config
from ota_board.load import load_board
from tests.conftest import requires_program
from tests.house.tree import ROOT

BOARD = load_board(ROOT / "boards" / "qemu-x86-64")


def test_the_configuration_names_the_boards_slots_and_console() -> None:
    lines = configuration(BOARD).splitlines()

    assert {"set ota_a=2", "set ota_b=3", "set ota_linux=/dev/vda"} <= set(lines)
    assert "if serial --unit=0 --speed=115200; then" in lines


@requires_program("grub-script-check", package="grub-common")
def test_the_configuration_is_one_that_grub_parses(tmp_path: Path) -> None:
    file = tmp_path / "grub.cfg"
    file.write_text(configuration(BOARD))

    run(("grub-script-check", file), timeout=10)


def test_a_slots_entry_is_a_block_and_names_no_root_device() -> None:
    variables = decode_block(entry(BOARD).encode())

    assert variables is not None
    assert (variables["kernel"], variables["initrd"]) == ("/boot/vmlinuz", "/boot/initrd.img")
    assert "console=ttyS0,115200" in variables["arguments"].split()
    assert "root=" not in variables["arguments"]


def test_both_copies_are_whole_from_the_factory_on_and_where_mender_looks() -> None:
    files = boot_files(BOARD)
    folder = mender_config().removeprefix("ENV_DIR = /boot/firmware").strip()

    for number in (1, 2):
        place = f"{folder}/mender_grubenv{number}"
        copy = decode_copy(files[f"{place}/env"], files[f"{place}/lock"])
        assert copy == {
            "bootcount": "0",
            "bootlimit": "1",
            "mender_boot_part": "2",
            "ota_good_a": "1",
            "ota_good_b": "0",
            "upgrade_available": "0",
        }
