# SPDX-License-Identifier: Apache-2.0
"""The settings that a slot's scripts read: the same for all builders of root filesystems."""

import shlex
from pathlib import Path

import pytest

from ota_board.device import device_settings, shell_text
from ota_board.load import all_boards, load_board
from ota_board.render import fstab, rendered
from tests.house.tree import ROOT

BOARDS = all_boards([ROOT / "boards"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_the_slots_and_data_are_those_of_the_layout(path: Path) -> None:
    board = load_board(path)

    settings = device_settings(board)

    assert [settings[name] for name in ("OTA_SLOT_A", "OTA_SLOT_B", "OTA_DATA")] == [
        board.layout.node(name) for name in ("A", "B", "data")
    ]
    assert settings["OTA_DATA"].endswith(settings["OTA_DATA_NUMBER"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_nothing_writes_to_the_boot_partition_by_itself(path: Path) -> None:
    (line,) = (each for each in fstab(load_board(path)).splitlines() if "/boot/firmware" in each)

    assert {"ro", "noatime"} <= set(line.split()[3].split(","))


def test_a_watchdog_that_nobody_arms_is_not_named() -> None:
    settings = {path.name: device_settings(load_board(path)) for path in BOARDS}

    assert settings["qemu-arm64"]["OTA_WATCHDOG"] == "i6300esb"
    assert settings["qemu-arm"]["OTA_WATCHDOG"] == ""


def test_a_shell_reads_what_was_written() -> None:
    board = load_board(ROOT / "boards" / "qemu-arm64")

    text = rendered(board)["board"]

    read = dict(line.split("=", 1) for line in shlex.split(text))
    assert read == device_settings(board)
    assert shell_text({"A": "two words"}) == "A='two words'\n"
