# SPDX-License-Identifier: Apache-2.0
"""The image of qemu-arm64, as `ota-image build` makes it: it boots, and does an A/B cycle."""

import shutil
from pathlib import Path

import pytest

from ota_artifact.reader import open_artifact
from ota_artifact.run import run
from ota_board.load import load_board
from ota_image.build import Built, build, u_boot_of
from ota_image.cache import made_once
from ota_image.debian.recipe import find_recipe, load_recipe, recipe_folders
from ota_image.debian.settings import Settings, read_ssh_keys
from ota_image.firmware.u_boot import UBoot
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.running import Running, running

FOLDER = ROOT / "boards" / "qemu-arm64"
BOARD = load_board(FOLDER)

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

TRIAL_OF_B = "mender_boot_part=3\nmender_boot_part_hex=3\nupgrade_available=1\nbootcount=0\n"


@pytest.fixture(scope="session")
def key() -> Path:
    """A private SSH key for the board; always the same, so that the image is."""
    with made_once("test-ssh-key") as (folder, workplace):
        if workplace:
            file = str(workplace / "key")
            run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file), timeout=30)
    return folder / "key"


@pytest.fixture(scope="session")
def u_boot() -> UBoot:
    return u_boot_of(BOARD, FOLDER, None, print)


@pytest.fixture(scope="session")
def built(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image and its artifact."""
    recipe = load_recipe(find_recipe("minimal", recipe_folders(None)))
    settings = Settings(ssh_keys=read_ssh_keys(key.with_suffix(".pub")))
    return build(BOARD, FOLDER, recipe, settings, tmp_path_factory.mktemp("built"), say=print)


def test_slot_a_of_the_image_is_the_payload_of_the_artifact(built: Built) -> None:
    area = BOARD.layout.partition("A")

    with built.artifact.open("rb") as file, built.image.open("rb") as image:
        image.seek(area.offset)
        for payload in open_artifact(file).payloads():
            for each in payload.files():
                assert each.size == area.size
                assert all(image.read(len(chunk)) == chunk for chunk in each.chunks())


def test_the_board_boots_tries_b_rolls_back_tries_again_and_commits(
    built: Built, u_boot: UBoot, key: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(built.image, disk)

    with running(BOARD, disk, u_boot.folder / "u-boot.bin", key) as board:
        _comes_up_on(board, "A")
        assert board.variables()["mender_saveenv_canary"] == "1"
        assert board.variables()["mender_boot_part"] == "2"
        board.ssh("cat /dev/mmcblk0p2 > /dev/mmcblk0p3 && sync", timeout=300)

        # A trial that nobody commits.
        _try_b(board)
        _comes_up_on(board, "B")
        assert (board.variables()["upgrade_available"], board.variables()["bootcount"]) == (
            "1",
            "1",
        )
        board.restart()
        board.expect("was not committed, rolling back", timeout=60)
        _comes_up_on(board, "A")
        assert board.variables()["upgrade_available"] == "0"
        assert board.variables()["ota_rollback"] == "count 3"

        # One that is committed.
        _try_b(board)
        _comes_up_on(board, "B")
        for _ in range(2):
            board.ssh("fw_setenv upgrade_available 0")
        board.restart()
        _comes_up_on(board, "B")
        assert board.variables()["mender_boot_part"] == "3"


def _comes_up_on(board: Running, slot: str) -> None:
    board.expect(f"ota: slot {slot}, release ", timeout=120)
    board.expect("ota: network: eth0 has ", timeout=120)


def _try_b(board: Running) -> None:
    board.ssh(f"printf '{TRIAL_OF_B}' | fw_setenv -s -")
    board.restart()
