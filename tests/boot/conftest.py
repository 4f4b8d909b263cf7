# SPDX-License-Identifier: Apache-2.0
"""The board qemu-arm64 with its real U-Boot, and a disk whose slots have kernels of a few lines."""

import os
import shutil
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_board.u_boot import factory_environment
from ota_image.disk.compose import Parts, compose
from ota_image.firmware.u_boot import UBoot, build_u_boot
from tests.boot.machine import Machine, make_kernel
from tests.boot.sources import SOURCES, tree_of
from tests.house.tree import ROOT

FOLDER = ROOT / "boards" / "qemu-arm64"

_BUILT = os.environ.get("UBOOT_BUILT")

EXTLINUX = """\
label slot
  kernel /boot/vmlinuz
  append root=${mender_kernel_root} ota.logic=${ota_logic}
"""


@pytest.fixture(scope="session", params=[_BUILT] if _BUILT else SOURCES)
def u_boot(request: pytest.FixtureRequest) -> UBoot:
    """U-Boot of qemu-arm64, compiled once for each source.

    $UBOOT_BUILT is a folder with one that is already compiled: ``u-boot.bin``, ``u-boot.env``.
    """
    if _BUILT:
        return UBoot(Path(_BUILT), "as built")
    return build_u_boot(load_board(FOLDER), FOLDER, tree_of(request.param), print)


@pytest.fixture(scope="session")
def golden_disk(u_boot: UBoot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk as from the factory, except that slot B has a kernel too."""
    folder = tmp_path_factory.mktemp("boot")
    board = load_board(FOLDER)
    slots = []
    for slot in ("A", "B"):
        boot = folder / slot / "boot"
        (boot / "extlinux").mkdir(parents=True)
        (boot / "extlinux" / "extlinux.conf").write_text(EXTLINUX)
        shutil.copyfile(make_kernel(slot, folder), boot / "vmlinuz")
        parts = Parts(rootfs=folder / slot, variables=factory_environment(u_boot.environment))
        compose(board.layout, parts, folder / f"{slot}.sdimg", progress=print)
        slots.append(folder / f"{slot}.sdimg")
    first, second = slots
    with first.open("r+b") as target, second.open("rb") as source:
        source.seek(board.layout.partition("A").offset)
        target.seek(board.layout.partition("B").offset)
        target.write(source.read(board.layout.partition("A").size))
    return first


@pytest.fixture
def machine(u_boot: UBoot, golden_disk: Path, tmp_path: Path) -> Machine:
    """The board, not powered on yet."""
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(golden_disk, disk)
    return Machine(board=load_board(FOLDER), disk=disk, u_boot=u_boot.folder / "u-boot.bin")
