# SPDX-License-Identifier: Apache-2.0
"""A board that is erased starts like a new one, and its disk has nothing of its users."""

import shutil
from pathlib import Path

import pytest

from tests.system.images import Image, image_of
from tests.system.needed import QEMU_ARM64
from tests.system.running import running

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),  # [s] the first one waits for packages, and for U-Boot
    *QEMU_ARM64,
]

IDENTITY = "cat /etc/machine-id; sha256sum < /data/etc/dropbear/dropbear_ed25519_host_key"
SECRET = "the-diary-of-a-user"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image_of("qemu-arm64", tmp_path_factory.mktemp("qemu-arm64"))


def test_after_the_next_boot_nothing_of_a_user_is_left(image: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        before = board.ssh(IDENTITY)
        half = SECRET[:8], SECRET[8:]  # so that the console and the shell do not have it
        board.ssh(f"a={half[0]}; echo $a{half[1]} > /data/diary; sync")

        board.ssh("/usr/lib/ota/erase --yes")
        board.restart()
        board.comes_up_on("A")

        now = board.ssh(IDENTITY)
        assert not {*before.split()} & ({*now.split()} - {"-"})
        assert "diary" not in board.ssh("ls /data")
        assert "it was erased, as a user has asked" in board.ssh("ota-agent status")
        board.ssh("sync")
    assert SECRET.encode() not in disk.read_bytes()
