# SPDX-License-Identifier: Apache-2.0
"""/data of a board: grown to the card, repaired, or made anew; and the console says so."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_board.layout import Area
from tests.conftest import requires_program
from tests.system.images import Image, image_of
from tests.system.running import running

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("ssh", package="openssh-client"),
]

CARD = 1 << 30  # [B]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image_of("qemu-arm64", tmp_path_factory.mktemp("qemu-arm64"))


def lose_the_root_folder(disk: Path, data: Area) -> None:
    """What e2fsck repairs, but for names."""
    program = find_program("debugfs", package="e2fsprogs")
    run((program, "-w", "-R", "clri <2>", f"{disk}?offset={data.offset}"), timeout=30)


def lose_everything(disk: Path, data: Area) -> None:
    """What nobody repairs."""
    with disk.open("r+b") as file:
        file.seek(data.offset)
        file.write(bytes(data.size))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_the_root_folder, "/data: is repaired; what had no name any more is in"),
        (lose_everything, "/data: cannot be repaired, making it anew; what was on it is lost"),
    ],
)
def test_a_damaged_data_partition_on_a_larger_card_is_grown_and_of_use_again(
    image: Image, tmp_path: Path, damage: Callable[[Path, Area], None], said: str
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    damage(disk, image.board.layout.partition("data"))
    os.truncate(disk, CARD)

    with running(image.board, disk, image.firmware, image.key) as board:
        board.expect("ota: /data: growing it to the end of /dev/mmcblk0", timeout=300)
        board.expect("ota: /data: is damaged, repairing it", timeout=300)
        board.expect(f"ota: {said}", timeout=300)
        board.expect("ota: network: eth0 has ", timeout=300)
        device, size = board.ssh("df -P -k /data | tail -n 1 | awk '{print $1, $2}'").split()
        assert device == image.board.layout.node("data")
        assert int(size) > 600 * 1024
        board.ssh("echo kept > /data/kept && sync")
        board.restart()
        board.comes_up_on("A")
        assert board.ssh("cat /data/kept") == "kept\n"
        assert board.said.count("is damaged") == 1
