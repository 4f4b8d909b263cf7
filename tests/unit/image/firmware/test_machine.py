# SPDX-License-Identifier: Apache-2.0
"""The firmware that QEMU starts for a board without U-Boot."""

from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_board.load import load_board
from ota_image.errors import ImageError
from ota_image.firmware import machine
from tests.house.tree import ROOT
from tests.unit.image.disk.small import quiet

FOLDER = ROOT / "boards" / "qemu-x86-64"
BOARD = load_board(FOLDER)


def test_uefi_comes_with_the_variables_that_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, without = tmp_path / "OVMF_CODE.fd", tmp_path / "OVMF_CODE_4M.fd"
    for name in (whole.name, without.name, "OVMF_VARS.fd"):
        (tmp_path / name).touch()
    monkeypatch.setattr(machine, "_UEFI", (without, whole))

    assert machine.machine_firmware(BOARD, FOLDER, say=quiet) == whole


def test_without_uefi_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_UEFI", (tmp_path / "OVMF_CODE.fd",))

    with pytest.raises(ProgramError, match="apt-get install ovmf"):
        machine.machine_firmware(BOARD, FOLDER, say=quiet)


def test_a_tree_of_u_boot_for_a_board_with_grub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="boots with grub, not with U-Boot"):
        machine.machine_firmware(BOARD, FOLDER, u_boot_tree=tmp_path, say=quiet)
