# SPDX-License-Identifier: Apache-2.0
"""What was not proven is never started, and a garbled environment costs neither slot nor update.

A forged artifact has the manifest and the signature of a genuine one, and another root filesystem.
"""

import shutil
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.grub_block import FILES
from ota_artifact.image.filesystem import open_filesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_board.grub import COPIES, LAST
from tests.conftest import requires_program
from tests.system.images import Image, image_of
from tests.system.running import Running, running

pytestmark = [
    pytest.mark.timeout(1800),  # [s] the first one waits for packages, and for U-Boot
    requires_program("ssh", package="openssh-client"),
]

BLOCK = 4096
HEAD = 1 << 20


@pytest.fixture(scope="module")
def x86(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image_of("qemu-x86-64", tmp_path_factory.mktemp("qemu-x86-64"))


def disk_of(image: Image, folder: Path) -> Path:
    disk = folder / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    return disk


def give(board: Running, data: bytes) -> str:
    """Put an artifact onto the board; gives where."""
    board.way_in.run("cat > /data/a.mender", stdin=data, timeout=600)
    return "/data/a.mender"


def head_of_b(image: Image, disk: Path) -> bytes:
    with disk.open("rb") as file:
        file.seek(image.board.layout.partition("B").offset)
        return file.read(HEAD)


def spoil_kernel_of_a(image: Image, disk: Path) -> None:
    area = image.board.layout.partition("A")
    open_filesystem(disk, area.offset, area.size).remove("/boot/vmlinuz")


def forge_and_spoil(image: Image, folder: Path) -> None:
    """Refuse the forged artifact; then the kernel of the running slot is lost."""
    disk = disk_of(image, folder)
    forged = bytearray(image.built.artifact.read_bytes())
    forged[-2048] ^= 1  # in the compressed root filesystem's last member
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        place = give(board, bytes(forged))
        with pytest.raises(ProgramError):
            board.ssh(f"ota-agent install {place} 2>&1", timeout=900)
        board.ssh("sync")
        board.qemu.off()
        assert not any(head_of_b(image, disk))
        spoil_kernel_of_a(image, disk)

        board.qemu.on()
        said = board.expect("OTA: neither slot boots; trying again in 10 s", timeout=300)

        assert "OTA: partition 3 is not known to be good, and is not started" in said
        assert "OTA: booting partition 3" not in said


@pytest.mark.full
@requires_program("qemu-system-aarch64", package="qemu-system-arm")
@requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu")
def test_a_forged_artifact_is_not_started_by_u_boot(arm64: Image, tmp_path: Path) -> None:
    forge_and_spoil(arm64, tmp_path)


@pytest.mark.full
@requires_program("qemu-system-x86_64", package="qemu-system-x86")
def test_a_forged_artifact_is_not_started_by_grub(x86: Image, tmp_path: Path) -> None:
    forge_and_spoil(x86, tmp_path)


@pytest.mark.boot
@requires_program("qemu-system-x86_64", package="qemu-system-x86")
def test_a_block_that_is_garbled_at_the_commit_costs_neither_the_slot_nor_the_next_update(
    x86: Image, tmp_path: Path
) -> None:
    disk = disk_of(x86, tmp_path)
    with running(x86.board, disk, x86.firmware, x86.key) as board:
        board.comes_up_on("A")
        assert "ro" in options_of_boot(board)
        place = give(board, x86.built.artifact.read_bytes())
        board.ssh(f"ota-agent install {place} 2>&1", timeout=900)
        board.restart()
        board.comes_up_on("B")
        board.ssh(WAIT)
        board.ssh("ota-agent commit 2>&1", timeout=300)
        before = boot_but_for_note(x86, disk)
        board.qemu.off()
        garbled = garble(x86, disk, COPIES[0])

        board.qemu.on()
        board.comes_up_on("B")
        board.ssh(WAIT)
        after = boot_but_for_note(x86, disk)
        assert after[: garbled.start] == before[: garbled.start]
        assert after[garbled.stop :] == before[garbled.stop :]
        for piece in places_of_copy(x86, disk, COPIES[0]):  # the rest there is padding
            assert after[piece] == before[piece]

        board.ssh(f"ota-agent install {place} 2>&1", timeout=900)
        board.restart()
        board.comes_up_on("A")
        board.ssh(WAIT)
        board.ssh("ota-agent commit 2>&1", timeout=300)
        board.qemu.off()
        for copy in COPIES:
            garble(x86, disk, copy)

        board.qemu.on()
        said = board.expect("ota: slot A, release ", timeout=300)
        assert "OTA: the environment was lost, trying partition 2" in said
        board.is_reached()
        board.ssh(WAIT)
        board.restart()
        said = board.expect("ota: slot A, release ", timeout=300)
        assert "OTA: the environment was lost" not in said


WAIT = "until [ -S /run/ota/agent.sock ]; do sleep 0.2; done; sleep 5"
"""Until the agent has said what runs."""


def options_of_boot(board: Running) -> list[str]:
    (line,) = board.ssh("grep ' /boot/firmware ' /proc/mounts").splitlines()
    return line.split()[3].split(",")


def boot_but_for_note(image: Image, disk: Path) -> bytes:
    """The bytes of the boot partition, without GRUB's note of the slot that runs."""
    area = image.board.layout.partition("boot")
    ((place, size),) = FatFilesystem(disk, area.offset, area.size).places(LAST)
    with disk.open("rb") as file:
        file.seek(area.offset)
        data = bytearray(file.read(area.size))
    data[place - area.offset : place - area.offset + size] = bytes(size)
    return bytes(data)


def places_of_copy(image: Image, disk: Path, copy: str) -> list[slice]:
    """Where the files of a copy are on the boot partition."""
    area = image.board.layout.partition("boot")
    boot = FatFilesystem(disk, area.offset, area.size)
    pieces = [piece for name in FILES for piece in boot.places(f"{copy}/{name}")]
    return [slice(at - area.offset, at - area.offset + size) for at, size in pieces]


def garble(image: Image, disk: Path, copy: str) -> slice:
    """Spoil the block of 4 KiB around a copy, as a card does that loses power while it writes.

    Gives where that is on the boot partition.
    """
    begin = image.board.layout.partition("boot").offset
    place = (begin + places_of_copy(image, disk, copy)[0].start) // BLOCK * BLOCK
    with disk.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * BLOCK)
    return slice(place - begin, place - begin + BLOCK)
