# SPDX-License-Identifier: Apache-2.0
"""The health check of docs/howto/trial.md gives a trial one more boot, and it is committed."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.simulators.certificates import make
from tests.simulators.mender_server import mender_server
from tests.system.running import running
from tests.system.test_deployments import HOST, build, wait_for_end
from tests.system.u_boot_cycle import expect_variables
from tests.unit.agent.trial.test_reboot_once import NAME, PAGE, script_of

pytestmark = [
    pytest.mark.full,  # minutes: an install and three boots under emulation
    pytest.mark.timeout(3000),  # [s] it may have to wait for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

LINK = """\
#!/bin/sh
mkdir -p /run/net/eth0
note=/data/ethernet-tried link=0
if [ -e $note ] && [ "$(head -n 1 $note)" != "$(cat /proc/sys/kernel/random/boot_id)" ]; then
	link=1
fi
echo $link >/run/net/eth0/carrier
"""
"""A PHY that answers after the second start of a trial."""


def test_a_trial_without_a_link_is_booted_once_more_and_committed(tmp_path: Path) -> None:
    check = script_of(PAGE.read_text("utf-8")).replace("/sys/class/net", "/run/net")
    certificate = make(tmp_path, "server", hosts=(HOST, "127.0.0.1"))
    with mender_server(certificate=certificate) as server:
        checks = {"04-link": LINK, NAME: check}
        image = build(server, certificate, tmp_path / "image", **checks)
        disk = tmp_path / "disk.sdimg"
        shutil.copyfile(image.built.image, disk)
        with running(image.board, disk, image.firmware, image.key) as board:
            board.comes_up_on("A")
            deployment = server.fleet.deploy(image.built.artifact)
            for _ in range(2):
                board.expect("OTA: trial boot of partition 3", timeout=900)
                board.expect("ota: slot B, release ", timeout=300)

            assert wait_for_end(deployment) == "success"
            expect_variables(board, upgrade_available="0", mender_boot_part="3", bootcount="0")
            assert board.said.count("OTA: trial boot") == 2
            assert board.ssh("ls /data/ethernet-tried 2>/dev/null || echo gone") == "gone\n"
