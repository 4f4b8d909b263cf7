# SPDX-License-Identifier: Apache-2.0
"""A machine of QEMU and the files that it works on."""

import socket
import tempfile
import time
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_hil.errors import HilError
from ota_hil.qemu import Qemu, powered
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds
from tests.unit.image.hardware.boards import compiled

pytestmark = requires_program("qemu-system-aarch64", package="qemu-system-arm")

BOARD = load_board(ROOT / "boards" / "qemu-arm64")
TREE = "/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; };"


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


def answers(machine: Qemu) -> bool:
    """Whether QEMU has started and hears us; it needs a moment for it."""
    end = time.monotonic() + 10
    while machine.is_on and time.monotonic() < end:
        try:
            machine.reset()
        except HilError:
            time.sleep(0.02)
        else:
            return True
    return False


@requires_program("dtc", package="device-tree-compiler")
@pytest.mark.parametrize(
    "name", ["a,b", "a:b", "a b", "a%b", "a'b\"c", "$HOME ${x}", "é", "x" * 200]
)
@pytest.mark.parametrize("board", ["qemu-arm64", "raspberrypi3"])
def test_qemu_starts_whatever_its_files_and_folders_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, name: str
) -> None:
    disk, firmware = files_in(tmp_path / name)
    tree = (
        firmware.parent / "arch/arm/dts/bcm2837-rpi-3-b.dtb"
    )  # U-Boot of raspberrypi3 is given it
    tree.parent.mkdir(parents=True)
    tree.write_bytes(compiled(TREE))
    monkeypatch.setattr(tempfile, "tempdir", str(disk.parent))
    monkeypatch.chdir(tmp_path)

    with powered(load_board(ROOT / "boards" / board), Path(name, disk.name), firmware) as machine:
        assert answers(machine), machine.console.said


def test_a_socket_is_never_in_a_folder_whose_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, firmware = files_in(tmp_path)
    for length in range(60, 100):
        folder = Path(str(tmp_path / "x").ljust(length, "x"))
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))

        machine = Qemu(BOARD, disk, firmware)

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{machine._folder.name}/monitor")
        machine.close()
