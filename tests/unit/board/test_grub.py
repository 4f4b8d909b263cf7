# SPDX-License-Identifier: Apache-2.0
"""GRUB's blocks, by us and by GRUB's own tools, and what follows from a board."""

import hashlib
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.errors import BoardError
from ota_board.grub import (
    BLOCK,
    boot_files,
    configuration,
    copy_files,
    decode_block,
    decode_copy,
    encode_block,
    entry,
    mender_config,
)
from ota_board.load import load_board
from tests.conftest import requires_program
from tests.house.tree import ROOT

BOARD = load_board(ROOT / "boards" / "qemu-x86-64")
VARIABLES = {"bootcount": "0", "mender_boot_part": "3", "ota_rollback": r"count 3 \ back"}


def test_a_block_is_read_as_it_was_written() -> None:
    block = encode_block(VARIABLES)

    assert len(block) == BLOCK
    assert decode_block(block) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_grub_editenv_reads_what_we_write(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(encode_block(VARIABLES))

    said = run(("grub-editenv", file, "list"), timeout=10).decode()

    assert dict(line.split("=", 1) for line in said.splitlines()) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_we_read_what_grub_editenv_writes(tmp_path: Path) -> None:
    file = tmp_path / "env"
    run(("grub-editenv", file, "create"), timeout=10)
    for name, value in VARIABLES.items():
        run(("grub-editenv", file, "set", f"{name}={value}"), timeout=10)

    assert decode_block(file.read_bytes()) == VARIABLES


@requires_program("grub-editenv", package="grub-common")
def test_a_lock_has_the_bytes_that_grub_editenv_gives_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    run(("grub-editenv", file, "create"), timeout=10)
    run(("grub-editenv", file, "set", "editing=0"), timeout=10)

    files = copy_files(VARIABLES)

    assert files["lock"] == file.read_bytes()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert files["lock.sha256sum"] == f"{digest}  lock\n".encode()


@pytest.mark.parametrize(
    "variables", [{"a b": "1"}, {"a": ""}, {"a": "1\nb=2"}, {"": "1"}, {"a": "x" * BLOCK}]
)
def test_what_cannot_stand_in_a_block_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(BoardError, match="environment: "):
        encode_block(variables)


@pytest.mark.parametrize("raw", [b"", bytes(BLOCK), b"a=1\n", b"#" * BLOCK])
def test_what_is_no_block_has_no_variables(raw: bytes) -> None:
    assert decode_block(raw) is None


def test_a_copy_is_taken_if_it_is_whole_and_not_locked() -> None:
    block, lock = encode_block(VARIABLES), encode_block({"editing": "0"})

    copy = decode_copy(block, lock)

    assert copy
    assert copy.variables == VARIABLES
    assert decode_copy(block, encode_block({"editing": "1"})) is None
    assert decode_copy(block, None) is None
    assert decode_copy(None, lock) is None
    assert decode_copy(block[:-1], lock) is None


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
        assert copy
        assert copy.variables == {
            "bootcount": "0",
            "bootlimit": "1",
            "mender_boot_part": "2",
            "upgrade_available": "0",
        }
