# SPDX-License-Identifier: Apache-2.0
"""A small disk of qemu-x86-64, as from the factory, except that slot B can start too."""

import shutil
from pathlib import Path

import pytest

from ota_board.grub import ENTRY, boot_files
from ota_image.disk.compose import Parts, compose
from tests.grub.emulator import Machine
from tests.unit.image.disk.small import quiet, small_board


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The disk, made once; tests use copies."""
    folder = tmp_path_factory.mktemp("grub")
    board = small_board(folder, "qemu-x86-64")
    disks = []
    for slot in ("A", "B"):
        boot = folder / slot / "boot"
        (boot / "grub").mkdir(parents=True)
        entry = f"kernel=/boot/vmlinuz\ninitrd=/boot/initrd.img\narguments=ro quiet slot={slot}\n"
        (folder / slot / ENTRY[1:]).write_text(f"# GRUB Environment Block\n{entry}")
        for name in ("vmlinuz", "initrd.img"):
            (boot / name).write_bytes(b"a file")
        disks.append(folder / f"{slot}.sdimg")
        compose(
            board.layout,
            Parts(rootfs=folder / slot, boot=boot_files(board)),
            disks[-1],
            progress=quiet,
        )
    first, second = disks
    a, b = (board.layout.partition(slot) for slot in ("A", "B"))
    with first.open("r+b") as target, second.open("rb") as source:
        source.seek(a.offset)
        target.seek(b.offset)
        target.write(source.read(a.size))
    return Machine(board, first, folder)


@pytest.fixture
def machine(golden: Machine, tmp_path: Path) -> Machine:
    """The board, not powered on yet."""
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(golden.disk, disk)
    return Machine(golden.board, disk, tmp_path)
