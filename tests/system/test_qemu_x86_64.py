# SPDX-License-Identifier: Apache-2.0
"""The image of qemu-x86-64, as `ota-image build` makes it: GRUB, from the factory to a commit."""

import shlex
import shutil
from pathlib import Path

import pytest

from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.described import expect_a_good_start, hil_of, programs_of, typos
from tests.system.images import Image, image_of
from tests.system.no_python import expect_the_old_slot_again
from tests.system.running import Running, running
from tests.system.u_boot_cycle import expect_bootloader, expect_kernel

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for packages
    requires_program("qemu-system-x86_64", package="qemu-system-x86"),
    requires_program("ssh", package="openssh-client"),
]

STATE = ROOT / "tests" / "system" / "grub_state.py"
TRIAL_OF_B = {"mender_boot_part": "3", "upgrade_available": "1", "bootcount": "0"}
FIRST, SECOND = (f"/boot/firmware/grub-mender-grubenv/mender_grubenv{each}" for each in (1, 2))


@pytest.fixture(scope="module", params=["trixie", pytest.param("bookworm", marks=pytest.mark.full)])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image_of("qemu-x86-64", tmp_path_factory.mktemp("qemu-x86-64"), suite=str(request.param))


def test_doctor_finds_only_that_the_image_as_built_is_one_to_play_with(image: Image) -> None:
    found = examine(image.built.image, image.board, artifact=image.built.artifact)

    assert [(each.hazard, each.severity) for each in found] == [
        ("no-verification-key", "warning"),
        ("open-login", "warning"),
    ]


def test_the_deaths_of_its_hil_yaml_are_in_its_programs(image: Image, tmp_path: Path) -> None:
    programs = programs_of(image.board, image.built, None, tmp_path)

    assert typos(hil_of(image.board), programs) == []


def test_the_board_boots_falls_back_rolls_back_and_commits(image: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        expect_a_good_start(board, image.board)
        expect_kernel(board, image)
        expect_bootloader(board, "ota_boot_logic=1")
        expect_state(board, mender_boot_part="2", upgrade_available="0", bootlimit="1")

        try_b(board)  # which is empty, as from the factory
        board.expect("OTA: trial boot of partition 3", timeout=120)
        said = board.expect("ota: slot A, release ", timeout=120)
        assert "OTA: partition 3 does not load" in said
        assert "GRUB" not in said, "it took another start"
        board.expect("ota: network: eth0 has ", timeout=120)
        expect_state(board, mender_boot_part="2", upgrade_available="0", ota_rollback="load 3")

        board.ssh("cat /dev/vda2 > /dev/vda3 && sync", timeout=300)
        try_b(board)
        board.expect("ota: slot B, release ", timeout=120)
        board.qemu.off()
        board.qemu.on()
        board.expect("OTA: trial of partition 3 was not committed, rolling back", timeout=120)
        board.comes_up_on("A")
        expect_state(board, mender_boot_part="2", upgrade_available="0", ota_rollback="count 3")

        try_b(board)
        board.comes_up_on("B")
        expect_state(board, mender_boot_part="3", upgrade_available="1", bootcount="1")
        board.agent_is_up()
        set_state(board, upgrade_available="0", bootcount="0")
        cut_off_while_writing(board, FIRST)
        board.restart()
        board.expect("OTA: the first copy of the environment is repaired", timeout=120)
        board.comes_up_on("B")
        expect_state(board, mender_boot_part="3", upgrade_available="0")
        assert board.ssh(f"cmp {FIRST}/lock {SECOND}/lock && echo same") == "same\n"


def test_a_trial_in_which_no_python_program_starts_goes_back(image: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")

        expect_the_old_slot_again(board, image, try_b, timeout=120)

        expect_state(board, upgrade_available="0", ota_rollback="count 3")


def cut_off_while_writing(board: Running, folder: str) -> None:
    """Leave a copy as it is when the power fails while Linux writes it."""
    board.ssh(
        "mount -o remount,rw /boot/firmware"
        f" && sed -i s/editing=0/editing=1/ {folder}/lock"
        f" && sed -i s/mender_boot_part=3/mender_boot_part=2/ {folder}/env && sync"
    )


def try_b(board: Running) -> None:
    """Ask for a trial boot of slot B, and reboot."""
    set_state(board, **TRIAL_OF_B)
    board.restart()


def set_state(board: Running, **changes: str) -> None:
    """Change variables from Linux, in both copies."""
    words = " ".join(shlex.quote(f"{name}={value}") for name, value in changes.items())
    board.ssh("mount -o remount,rw /boot/firmware")
    board.way_in.run(f"python3 - {words}", stdin=STATE.read_bytes())
    board.ssh("mount -o remount,ro /boot/firmware")


def expect_state(board: Running, **wanted: str) -> None:
    """Compare the state that Linux reads with the expected one."""
    lines = board.way_in.run("python3 -", stdin=STATE.read_bytes()).splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert {name: found.get(name) for name in wanted} == wanted
