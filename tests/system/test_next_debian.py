# SPDX-License-Identifier: Apache-2.0
"""A device with Debian 12 gets Debian 13 by an update: kernel, programs and all; and goes back."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.system.images import Image, image_of
from tests.system.running import Running, running
from tests.system.test_data import KEPT, SETTINGS
from tests.system.test_deployments import until
from tests.system.u_boot_cycle import expect_kernel, expect_variables

pytestmark = [
    pytest.mark.full,  # minutes: two releases of Debian, two or three installs, six boots or more
    pytest.mark.timeout(3600),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

OLD, NEW = "bookworm", "trixie"
CHECK = """\
#!/bin/sh
# Writes to /data as a product would, then finds the new release healthy or not.
uname -r >>/data/trials
[ ! -e /data/unfit ] || { echo "this device is not fit for Debian 13"; exit 1; }
"""
TRIAL_OF = {"A": "OTA: trial boot of partition 2", "B": "OTA: trial boot of partition 3"}


@pytest.mark.parametrize("name", ["raspberrypi3", "qemu-arm64"])
def test_debian_13_comes_by_an_update_and_debian_12_is_what_it_falls_back_to(
    name: str, tmp_path: Path
) -> None:
    old = image_of(name, tmp_path / OLD, suite=OLD)
    new = image_of(name, tmp_path / NEW, suite=NEW, overlays=(_overlay(tmp_path / "overlay"),))
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(old.built.image, disk)
    os.truncate(disk, 2 * old.board.storage.size)
    with running(old.board, disk, old.firmware, old.key) as board:
        board.expect("/data: growing it to the end of /dev/mmcblk0", timeout=300)
        board.is_reached()
        expect_debian(board, old, OLD, "A")
        board.ssh("echo what a user wrote >/data/kept")
        board.way_in.run("cat >/data/ota/agent.toml; sync", stdin=SETTINGS.encode())
        kept = board.ssh(KEPT)

        board.ssh("touch /data/unfit")
        install(board, new)
        board.comes_up_on("B")
        board.comes_up_on("A", timeout=900)
        expect_debian(board, old, OLD, "A")
        assert board.ssh(KEPT) == kept
        [tried] = board.ssh("cat /data/trials").split()  # what Debian 13 wrote, Debian 12 reads
        assert f" kernel {tried} " in board.ssh("ota-agent boot-log")
        until(lambda: '"Idle"' in board.ssh("ota-agent status --json"), "end of the update")
        assert "not fit for Debian 13" in board.ssh("ota-agent status")

        board.ssh("rm /data/unfit")
        install(board, new)
        board.comes_up_on("B")
        commit(board)
        expect_debian(board, new, NEW, "B")
        board.restart()
        board.comes_up_on("B")
        board.ssh("sync")
        board.qemu.off()
        board.qemu.on()
        board.comes_up_on("B")
        expect_debian(board, new, NEW, "B")
        assert board.ssh(KEPT) == kept
        assert set(board.ssh("cat /data/trials").split()) == {tried}

        if name == "qemu-arm64":
            install(board, old)
            board.comes_up_on("A")
            commit(board)
            expect_debian(board, old, OLD, "A")
            assert board.ssh(KEPT) == kept


def _overlay(folder: Path) -> Path:
    check = folder / "etc" / "ota" / "health.d" / "10-fit"
    check.parent.mkdir(parents=True)
    check.write_text(CHECK)
    check.chmod(0o755)
    return folder


def install(board: Running, image: Image) -> None:
    """Install the artifact on the board by its agent, and begin the trial."""
    passive = "A" if board.variables()["mender_boot_part"] == "3" else "B"
    board.agent_is_up()
    artifact = image.built.artifact.read_bytes()
    board.way_in.run("cat >/data/next.mender", stdin=artifact, timeout=600)
    print(board.ssh("ota-agent install /data/next.mender", timeout=1200))
    board.restart()
    board.expect(TRIAL_OF[passive], timeout=300)


def commit(board: Running) -> None:
    """Wait until the trial is healthy, and commit it."""
    board.agent_is_up()
    until(lambda: '"Proven"' in board.ssh("ota-agent status --json"), "healthy trial")
    board.ssh("ota-agent commit")


def expect_debian(board: Running, image: Image, suite: str, slot: str) -> None:
    """Kernel and programs are those of a suite, the slot is committed, and /data is whole."""
    partition = {"A": "2", "B": "3"}[slot]
    expect_kernel(board, image)
    assert board.ssh(". /etc/os-release; echo $VERSION_CODENAME") == f"{suite}\n"
    expect_variables(board, upgrade_available="0", mender_boot_part=partition, bootcount="0")
    assert board.ssh("head -n 1 /run/ota/data") == "state=whole\n"
