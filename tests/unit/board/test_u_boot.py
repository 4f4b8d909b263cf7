# SPDX-License-Identifier: Apache-2.0
"""U-Boot's configuration and environment: the state is separate, and no symbol is lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.board import Board
from ota_board.load import all_boards, load_board
from ota_board.u_boot import (
    default_environment,
    factory_environment,
    fragment,
    missing,
    state,
)
from tests.house.tree import ROOT

FOLDERS = [
    path for path in all_boards([ROOT / "boards"]) if load_board(path).bootloader.kind == "u-boot"
]
STATE = {
    "bootlimit": "1",
    "bootcount": "0",
    "upgrade_available": "0",
    "mender_boot_part": "2",
    "mender_boot_part_hex": "2",
    "mender_check_saveenv_canary": "1",
    "ota_lost": "1",
}
FACTORY = {**STATE, "ota_good_a": "1", "ota_good_b": "0"}
del FACTORY["ota_lost"]


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    """The default environment of each board with U-Boot."""
    return default_environment(load_board(request.param), request.param)


def test_the_compiled_state_is_that_of_the_contract_and_says_that_none_was_found(
    text: str,
) -> None:
    assert state(text) == STATE


def test_in_the_factory_slot_a_is_good_and_nothing_is_lost(text: str) -> None:
    variables = factory_environment(text)

    assert {name: variables.get(name) for name in FACTORY} == FACTORY
    assert "ota_lost" not in variables


def test_all_that_is_not_state_is_taken_from_u_boot_itself_at_each_boot(text: str) -> None:
    variables = factory_environment(text)

    names = variables["ota_vars"].split()
    assert sorted(names) == sorted(set(variables) - set(FACTORY))
    assert len(names) < 60  # CONFIG_SYS_MAXARGS
    for stub in ("bootcmd", "altbootcmd"):
        assert variables[stub].startswith("env default -f ota_vars; env default -f ${ota_vars}; ")


def test_u_boot_may_number_its_disks_differently_from_linux() -> None:
    board = load_board(ROOT / "boards" / "beaglebone-black")
    board = replace(board, bootloader=replace(board.bootloader, mmc=2))

    variables = factory_environment(default_environment(board))

    assert variables["ota_disk"] == "mmc 2"
    assert variables["ota_linux"] == "/dev/mmcblk0p"
    symbols = fragment(board, Path("u-boot.env")).splitlines()
    assert {"CONFIG_ENV_MMC_DEVICE_INDEX=2", "CONFIG_SYS_MMC_ENV_DEV=2"} <= set(symbols)


def test_the_canary_is_absent_from_the_factory(text: str) -> None:
    assert "mender_saveenv_canary" not in factory_environment(text)


def test_every_variable_that_the_logic_runs_is_there(text: str) -> None:
    variables = factory_environment(text)
    run = {
        word.rstrip(";")
        for value in variables.values()
        for part in value.split("run ")[1:]
        for word in part.split(";")[0].split()
    }

    assert run >= {"ota_main", "ota_try", "ota_save"}
    assert run <= set(variables)


def test_a_variable_of_the_board_replaces_the_common_one() -> None:
    (folder,) = [path for path in FOLDERS if path.name == "qemu-arm64"]

    text = default_environment(load_board(folder), folder)

    assert text.count("\nota_board=") == 1
    assert factory_environment(text)["ota_board"] == "setenv fdt_addr ${fdtcontroladdr}"


@pytest.fixture
def board() -> Board:
    return load_board(ROOT / "boards" / "qemu-arm64")


def test_a_symbol_that_is_set_in_one_spelling_is_not_missing(board: Board) -> None:
    wanted = fragment(board, ROOT / "u-boot.env", ROOT / "boards" / "qemu-arm64")
    lines = wanted.splitlines()
    old = [line for line in lines if "ENV_REDUNDANT" not in line and "TEXT_FILE" not in line]
    new = [line for line in lines if "REDUNDAND" not in line and "DEFAULT_ENV_FILE" not in line]

    assert old != lines != new
    assert missing(wanted, "\n".join(old)) == []
    assert missing(wanted, "\n".join(new)) == []


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("REDUNDA", "CONFIG_ENV_REDUNDANT=y, is n"),
        ("ENV_OFFSET=", "CONFIG_ENV_OFFSET=0x400000, is n"),
        ("BOOTCOUNT_ENV", "CONFIG_BOOTCOUNT_ENV=y, is n"),
    ],
)
def test_a_dropped_symbol_is_reported(board: Board, lost: str, said: str) -> None:
    wanted = fragment(board, ROOT / "u-boot.env")
    config = "\n".join(line for line in wanted.splitlines() if lost not in line)

    assert said in missing(wanted, config)


def test_a_symbol_that_is_on_and_should_be_off_is_reported(board: Board) -> None:
    wanted = fragment(board, ROOT / "u-boot.env")
    config = wanted.replace("# CONFIG_ENV_IS_NOWHERE is not set", "CONFIG_ENV_IS_NOWHERE=y")

    assert missing(wanted, config) == ["CONFIG_ENV_IS_NOWHERE=n, is y"]
