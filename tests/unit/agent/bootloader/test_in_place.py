# SPDX-License-Identifier: Apache-2.0
"""GRUB's files on a boot partition that is mounted read-only, by the kernel's own vfat."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_agent.bootloader.grub import Grub
from ota_agent.bootloader.in_place import device_of, places
from ota_artifact.errors import ProgramError
from ota_artifact.grub_block import COPIES, FILES
from ota_artifact.layout import Area
from ota_artifact.run import run
from ota_board.grub import APART, FOLDER, boot_files, factory_state
from ota_board.load import load_board
from ota_image.disk.boot import make_boot
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = [
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
BOARD = load_board(ROOT / "boards" / "qemu-x86-64")
SIZE = 8 << 20
TRIAL = {"mender_boot_part": "3", "upgrade_available": "1", "bootcount": "0"}


@dataclass(frozen=True)
class Boot:
    """A boot partition, mounted read-only.

    Attributes:
        device: a loop device.
        point: where it is mounted.
    """

    device: Path
    point: Path

    @property
    def grub(self) -> Grub:
        return Grub(self.point / FOLDER.lstrip("/"))

    def content(self) -> bytes:
        """What is on the disk."""
        with self.device.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read()


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    disk, point = tmp_path / "disk", tmp_path / "boot"
    disk.write_bytes(bytes(SIZE))
    area = Area(kind="partition", name="boot", offset=0, size=SIZE, number=1)
    make_boot(disk, area, boot_files(BOARD), number=1, time=0, apart=APART)
    point.mkdir()
    try:
        said = run(("losetup", "--find", "--show", disk), timeout=10)
    except ProgramError as error:
        pytest.skip(f"no loop device here: {error}")
    device = Path(said.decode().strip())
    try:
        try:
            run(("mount", "-t", "vfat", "-o", "ro,noatime", device, point), timeout=10)
        except ProgramError as error:
            pytest.skip(f"nothing can be mounted here: {error}")
        yield Boot(device, point)
        run(("umount", point), timeout=10)
    finally:
        run(("losetup", "--detach", device), timeout=10)


def test_a_change_writes_the_sectors_of_the_copies_and_nothing_else(boot: Boot) -> None:
    before = boot.content()
    assert boot.grub.findings() == []

    boot.grub.write(TRIAL)

    assert boot.grub.read() == {**factory_state(BOARD), **TRIAL}
    assert not os.access(boot.grub.folder, os.W_OK)
    after = boot.content()
    changed = {at // 512 for at in range(0, SIZE, 512) if before[at:][:512] != after[at:][:512]}
    own = {
        place // 512
        for copy in COPIES
        for name in FILES
        for place, _ in places(boot.grub.folder / copy / name)
    }
    assert changed
    assert changed <= own


def test_a_folder_of_another_filesystem_is_never_written_past(tmp_path: Path) -> None:
    assert device_of(tmp_path) is None


def test_files_that_are_gone_are_made_again_and_it_is_read_only_afterwards(boot: Boot) -> None:
    run(("mount", "-o", "remount,rw", boot.point), timeout=10)
    for copy in COPIES:
        (boot.grub.folder / copy / "env").unlink()
    run(("mount", "-o", "remount,ro", boot.point), timeout=10)

    assert boot.grub.restore({"mender_boot_part": "3", "upgrade_available": "0"})

    assert boot.grub.is_whole()
    assert boot.grub.read()["mender_boot_part"] == "3"
    assert not os.access(boot.grub.folder, os.W_OK)
