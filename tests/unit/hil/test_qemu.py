# SPDX-License-Identifier: Apache-2.0
"""A machine of QEMU and the files that it works on."""

from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_hil.qemu import Qemu, powered
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds

pytestmark = requires_program("qemu-system-aarch64", package="qemu-system-arm")

BOARD = load_board(ROOT / "boards" / "qemu-arm64")


def files_in(folder: Path) -> tuple[Path, Path]:
    """An empty disk, and firmware that does nothing."""
    folder.mkdir(exist_ok=True)
    disk, firmware = folder / "disk.sdimg", folder / "u-boot.bin"
    for path in (disk, firmware):
        with path.open("wb") as file:
            file.truncate(1 << 20)
    return disk, firmware


def test_a_disk_that_another_process_uses_is_not_booted(tmp_path: Path) -> None:
    disk, firmware = files_in(tmp_path)
    machine = Qemu(BOARD, disk, firmware)

    with another_holds(disk), pytest.raises(BlockingIOError, match="wait until it has ended"):
        machine.on()

    assert not machine.is_on
    machine.close()


@pytest.mark.boot
def test_a_disk_is_free_as_soon_as_the_power_is_off(tmp_path: Path) -> None:
    disk, firmware = files_in(tmp_path)
    other = Qemu(BOARD, disk, firmware)

    with powered(BOARD, disk, firmware) as machine:
        with pytest.raises(BlockingIOError):
            other.on()
        machine.off()

        other.on()

    assert other.is_on
    other.close()
