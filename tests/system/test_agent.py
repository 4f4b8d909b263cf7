# SPDX-License-Identifier: Apache-2.0
"""The agent on a device: it runs from boot, and keeps the log of a trial boot."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.system.images import Image
from tests.system.running import Running, running
from tests.system.u_boot_cycle import expect_variables

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

PID = r"ps | sed -n 's/^ *\([0-9]*\) .* .usr.bin.ota-agent daemon$/\1/p'"


def test_the_agent_runs_from_boot_and_keeps_what_a_trial_says(arm64: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)

    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.comes_up_on("A")
        expect_agent(board, runs=arm64.built.name)
        assert board.ssh("ls /data/ota/boots 2>/dev/null || true") == ""  # no trial, no log

        board.set(upgrade_available="1", bootcount="0")  # into the running slot, which is enough
        board.restart()
        board.expect("OTA: trial boot of partition 2", timeout=120)
        board.comes_up_on("A")
        expect_variables(board, upgrade_available="1", bootcount="1")
        expect_log(board)


def expect_agent(board: Running, *, runs: str) -> None:
    """One daemon runs, and answers."""
    board.agent_is_up()
    status = json.loads(board.ssh("ota-agent status --json"))
    assert (status["installed"], status["running_slot"]) == (runs, "A")
    assert status["is_served"]
    assert len(board.ssh(PID).splitlines()) == 1


def expect_log(board: Running) -> None:
    """The log of the current boot: the first lines of kernel and init, and the agent's last.

    For that the agent is terminated, and init starts it again.
    """
    (name,) = board.ssh("ls /data/ota/boots").split()
    boot = board.ssh("cat /proc/sys/kernel/random/boot_id").strip()
    assert name == f"000001-{boot}"
    until_it_has_spoken = f"until [ -s /data/ota/boots/{name}/agent ]; do sleep 0.2; done"
    board.agent_is_up()
    board.ssh(f"sleep 1; kill -TERM $({PID}); {until_it_has_spoken}; sleep 1; {PID}")
    first, *lines = board.ssh("ota-agent boot-log").splitlines()
    assert first.startswith(f"boot 1: {boot} kernel ")
    assert first.endswith(" trial")
    assert "[    0.000000] Booting Linux on physical CPU" in lines[0]
    assert any("ota: slot A, release" in line for line in lines)
    assert "agent: ota-agent: stopped at Idle" in lines
