# SPDX-License-Identifier: Apache-2.0
"""Releases whose agent cannot decide on their trial: each goes back by itself, and is reported."""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ota_artifact.cli.main import main
from tests.conftest import requires_program
from tests.simulators.certificates import Certificate, make
from tests.simulators.mender_server import MenderServer, mender_server
from tests.system.images import Image, image_of
from tests.system.no_python import expect_the_old_slot_again
from tests.system.running import Running, running
from tests.system.test_deployments import CONFIGURATION, HOST, until, wait_for_end
from tests.system.u_boot_cycle import expect_variables, try_b

pytestmark = [
    pytest.mark.timeout(3600),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

DEADLINE = 60  # [s]
SUITE, PYTHON = "trixie", "/usr/bin/python3.13"
PACKAGE = "/usr/lib/python3/dist-packages/urllib3"
AT_START = "/etc/ota/start.d/50-test"
"""What init runs last, before it starts the agent."""

_MAKES_ROOM = "#!/bin/sh\nrm -f /data/fill\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What a release has that keeps its trial from being decided on.

    Attributes:
        files: that replace those of the good release.
        removed: a folder that it lacks.
        reason: what the log of the deployment says.
        ends_itself: whether its own agent still rolls it back.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    removed: str = ""
    reason: str = "no agent is at work on it"
    ends_itself: bool = False


def at_start(line: str) -> Mapping[str, str]:
    return {AT_START: f"#!/bin/sh\n{line}\n"}


NO_PROGRAM = "#!/bin/sh\nexit 127\n"

RELEASES: Mapping[str, Broken] = {
    "python": Broken(files={PYTHON: NO_PROGRAM}),
    "module": Broken(removed=PACKAGE),
    "killed": Broken(
        files=at_start("(while sleep 2; do kill -KILL $(pidof python3 python3.13); done) &"),
    ),
    "forgetful": Broken(
        files=at_start("rm -f /data/ota/state.db*"),
        reason="slot B is on trial, and not by this update",
    ),
    "full": Broken(
        files=at_start("dd if=/dev/zero of=/data/fill bs=64k 2>/dev/null; sync"),
        reason="No space left on device: 65536 B cannot be written there",
        ends_itself=True,
    ),
    # By force, as the kernel does after an error: boot-log has files open there.
    "read-only": Broken(files=at_start("echo u >/proc/sysrq-trigger; sleep 2")),
    "gone": Broken(files=at_start("umount -l /data")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A board with its server, and its good release."""

    board: Running
    server: MenderServer
    image: Image
    times: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """It runs the good release, and comes back to it after each test."""
    folder = tmp_path_factory.mktemp("trials")
    certificate = make(folder, "server", hosts=(HOST, "127.0.0.1"))
    with mender_server(certificate=certificate) as server:
        image = built(server, certificate, folder)
        disk = folder / "disk.sdimg"
        shutil.copyfile(image.built.image, disk)
        with running(image.board, disk, image.firmware, image.key) as board:
            board.comes_up_on("A")
            yield Bench(board=board, server=server, image=image)


def built(server: MenderServer, certificate: Certificate, folder: Path) -> Image:
    settings = folder / "overlay" / "etc" / "ota"
    (settings / "start.d").mkdir(parents=True)
    port = server.url.rpartition(":")[2]
    text = CONFIGURATION.format(host=HOST, port=port)
    (settings / "agent.toml").write_text(f"{text}[commit]\ndeadline = {DEADLINE}\n")
    shutil.copyfile(certificate.path, settings / "test.crt")
    script = folder / "overlay" / AT_START.lstrip("/")
    script.write_text(_MAKES_ROOM)
    script.chmod(0o755)
    return image_of("qemu-arm64", folder / "built", overlays=(folder / "overlay",), suite=SUITE)


def spoiled(image: Image, name: str, folder: Path) -> Path:
    """The good release with something broken in it, under another name."""
    artifact = folder / f"{name}.mender"
    shutil.copyfile(image.built.artifact, artifact)
    for path, content in RELEASES[name].files.items():
        (folder / "file").write_text(content)
        assert main(["cp", str(folder / "file"), f"{artifact}:{path}"]) == 0
    if removed := RELEASES[name].removed:
        assert main(["rm", "-r", f"{artifact}:{removed}"]) == 0
    assert main(["modify", "--no-progress", "-n", name, str(artifact)]) == 0
    return artifact


@pytest.mark.full  # three minutes: slot B written, a deadline and three boots under emulation
def test_a_trial_in_which_no_python_program_starts_goes_back(arm64: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(arm64.built.image, disk)
    with running(arm64.board, disk, arm64.firmware, arm64.key) as board:
        board.comes_up_on("A")

        expect_the_old_slot_again(board, arm64, try_b, timeout=120)

        assert board.variables()["ota_end"].startswith("no agent is at work on it")


@pytest.mark.full  # minutes: an install and two boots under emulation
@pytest.mark.parametrize("name", RELEASES)
def test_a_release_that_cannot_decide_goes_back(bench: Bench, name: str, tmp_path: Path) -> None:
    board = bench.board
    deployment = bench.server.fleet.deploy(spoiled(bench.image, name, tmp_path))

    board.expect("OTA: trial boot of partition 3", timeout=900)
    began = time.monotonic()
    if not RELEASES[name].ends_itself:
        board.expect("was not committed, rolling back", timeout=900)
    board.comes_up_on("A", timeout=900)

    print(f"{name}: back on slot A {time.monotonic() - began:.0f} s after the trial's start")
    assert wait_for_end(deployment) == "failure"
    log = "\n".join(each["message"] for each in deployment.log)
    assert RELEASES[name].reason in log
    expect_variables(board, upgrade_available="0", mender_boot_part="2")
    board.agent_is_up()
    assert board.ssh("ota-agent show-artifact").strip() == bench.image.built.name
    device = bench.server.fleet.device
    until(lambda: device.provides.get("artifact_name") == bench.image.built.name, "poll")
