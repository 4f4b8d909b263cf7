# SPDX-License-Identifier: Apache-2.0
"""Deployments to a board that boots: the server fails, the power is cut, a release is bad."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.simulators.certificates import Certificate, make
from tests.simulators.mender_fleet import Deployment
from tests.simulators.mender_server import Fault, MenderServer, mender_server
from tests.system.images import Image, image_of
from tests.system.running import Running, running
from tests.system.u_boot_cycle import expect_variables

pytestmark = [
    pytest.mark.full,  # minutes: four installs of 128 MiB under emulation
    pytest.mark.timeout(3000),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

HOST = "10.0.2.2"
"""What the board calls this machine. Source: QEMU, user networking."""

CONFIGURATION = """\
[server]
urls = ["https://{host}:{port}"]
[tls]
server_certificate = "/etc/ota/test.crt"
[polling]
update = 5
retry = 5
start_spread = 0
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("server"), "server", hosts=(HOST, "127.0.0.1"))


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[MenderServer]:
    with mender_server(certificate=certificate) as found:
        yield found


def build(server: MenderServer, certificate: Certificate, folder: Path, **files: str) -> Image:
    """The image with an agent that knows the server, and some more files."""
    settings = folder / "overlay" / "etc" / "ota"
    settings.mkdir(parents=True)
    port = server.url.rpartition(":")[2]
    (settings / "agent.toml").write_text(CONFIGURATION.format(host=HOST, port=port))
    shutil.copyfile(certificate.path, settings / "test.crt")
    for name, content in files.items():
        check = settings / "health.d" / name
        check.parent.mkdir(exist_ok=True)
        check.write_text(content)
        check.chmod(0o755)
    return image_of("qemu-arm64", folder / "built", overlays=(folder / "overlay",))


def until(has_come: Callable[[], object], what: str, timeout: float = 600.0) -> None:
    end = time.monotonic() + timeout
    while not has_come():
        assert time.monotonic() < end, f"no {what} after {timeout:g} s"
        time.sleep(0.5)


def wait_for_end(deployment: Deployment) -> str:
    until(lambda: deployment.is_over, "end of the deployment")
    return deployment.statuses[-1]


def test_a_trial_outlives_a_dead_server_and_a_power_cut_and_a_bad_release_is_rolled_back(
    server: MenderServer, certificate: Certificate, tmp_path: Path
) -> None:
    check = "#!/bin/sh\necho too warm\nexit 1\n"
    image = build(server, certificate, tmp_path / "good")
    bad = build(server, certificate, tmp_path / "bad", check=check)
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        _the_server_is_away_during_the_trial(board, server, image)
        _a_bad_release_is_rolled_back(board, server, bad)


def _the_server_is_away_during_the_trial(
    board: Running, server: MenderServer, image: Image
) -> None:
    away = Fault(path="/", kind="answer", status=503, times=0)
    server.faults.append(away)
    deployment = server.fleet.deploy(image.built.artifact)
    board.expect("OTA: trial boot of partition 3", timeout=900)
    away.times = 1_000_000
    board.comes_up_on("B")
    until(lambda: board.variables()["bootcount"] == "0", "wait of the trial")

    board.qemu.off()
    board.qemu.on()
    board.comes_up_on("B")  # on trial once more, and not rolled back
    expect_variables(board, upgrade_available="1", mender_boot_part="3")
    away.times = 0

    assert wait_for_end(deployment) == "success"
    expect_variables(board, upgrade_available="0", mender_boot_part="3", bootcount="0")


def _a_bad_release_is_rolled_back(board: Running, server: MenderServer, bad: Image) -> None:
    deployment = server.fleet.deploy(bad.built.artifact)
    board.expect("OTA: trial boot of partition 2", timeout=900)
    board.comes_up_on("A")
    board.comes_up_on("B", timeout=600)

    assert wait_for_end(deployment) == "failure"
    log = "\n".join(each["message"] for each in deployment.log)
    assert "too warm" in log
    assert "Booting Linux on physical CPU" in log  # what the trial's kernel said
    expect_variables(board, upgrade_available="0", mender_boot_part="3")


def test_an_install_by_hand_without_a_commit_is_rolled_back_by_the_next_boot(
    arm64: Image, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)
    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.comes_up_on("A")
        artifact = arm64.built.artifact.read_bytes()
        print(board.way_in.run("ota-agent install - 2>&1 || true", stdin=artifact, timeout=900))
        board.way_in.run("cat >/data/v2.mender", stdin=artifact, timeout=300)
        said = board.ssh("ota-agent install /data/v2.mender 2>&1", timeout=900)
        print(said)
        assert "less confined" not in said
        board.restart()
        board.expect("OTA: trial boot of partition 3", timeout=120)
        board.comes_up_on("B")
        until(lambda: '"Proven"' in board.ssh("ota-agent status --json"), "healthy trial")

        board.qemu.off()
        board.qemu.on()

        board.expect("was not committed, rolling back", timeout=120)
        board.comes_up_on("A")
        until(lambda: '"Idle"' in board.ssh("ota-agent status --json"), "end")
        assert "never committed" in board.ssh("ota-agent status")
