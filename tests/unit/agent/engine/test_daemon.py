# SPDX-License-Identifier: Apache-2.0
"""The daemon as a process of its own, against a server: deployments."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ota_agent.api.client import Client
from ota_agent.api.messages import Wrong
from ota_agent.api.status import Status
from ota_agent.errors import AgentError
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.run import Background
from ota_artifact.security_version import provides_of
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.simulators.mender_fleet import Deployment
from tests.simulators.mender_server import Fault, MenderServer, mender_server
from tests.unit.agent.cli.test_killed_install import command
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = [
    pytest.mark.boot,  # each starts Python several times
    pytest.mark.timeout(120),
    requires_program("fw_setenv", package="libubootenv-tool"),
]

NEW = hashlib.shake_256(b"new").digest(1 << 20)
PATIENCE = 30.0  # [s]


@dataclass(kw_only=True)
class Site:
    """A device with its daemon, and its server.

    Attributes:
        health: folder of the health checks.
    """

    device: Scratch
    server: MenderServer
    release: Path
    health: Path
    daemon: Background | None = None
    said: bytearray = field(default_factory=bytearray)

    def start(self) -> None:
        self.daemon = Background(command(self.device, "daemon"))

    def stop(self) -> None:
        """Kill it, as a power cut or a reboot of the device does."""
        if self.daemon:
            self.daemon.kill()
            os.set_blocking(self.daemon.output, False)
            while piece := _read(self.daemon.output):
                self.said += piece
            self.daemon.close()
            self.daemon = None

    def reboots(self) -> None:
        """Wait until the agent reboots the device; it comes up again, and the daemon with it."""
        asked = self.device.folder / "rebooted"
        self.wait(asked.exists, "a reboot")
        asked.unlink()
        self.stop()
        self.device.boot()
        self.start()

    def wait(self, has_come: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not has_come():
            if time.monotonic() > end:
                self.stop()
                raise AssertionError(f"no {what}: {self.said.decode()}")
            time.sleep(0.05)

    def status(self) -> Status | None:
        try:
            with Client(self.device.folder / "run" / "agent.sock") as client:
                return client.status()
        except AgentError:  # it has not started yet
            return None

    def is_at(self, state: str) -> bool:
        status = self.status()
        return status is not None and status.state == state

    def call(self, call: str, **arguments: Any) -> Any:
        with Client(self.device.folder / "run" / "agent.sock") as client:
            return client.call(call, **arguments)


def _read(file: int) -> bytes:
    try:
        return os.read(file, 1 << 16)
    except BlockingIOError:
        return b""


@contextmanager
def site_of(tmp_path: Path, **commit: object) -> Iterator[Site]:
    payload = PayloadSpec(
        PayloadHeader(type="rootfs-image", provides=provides_of(1)),
        sources(tmp_path / "r", {"root": NEW}),
    )
    header = Header(
        version=3, artifact_name="v2", compatible_types=("scratch",), payloads=(payload.header,)
    )
    written(ArtifactSpec(header, (payload,)), tmp_path / "v2.mender")
    for name in ("health.d", "identity"):
        (tmp_path / name).mkdir()
    identity = tmp_path / "identity" / "mac"
    identity.write_text("#!/bin/sh\necho mac=02:00:00:00:00:01\n")
    identity.chmod(0o755)
    with mender_server() as server:
        device = scratch(
            tmp_path / "device",
            slot=2 << 20,
            server={"urls": [server.url]},
            tls={"allow_plain_http": True, "set_clock": False},
            polling={"update": 0.5, "inventory": 5.0, "retry": 0.5, "start_spread": 0.0},
            attributes={"identity": [str(identity.parent)], "inventory": []},
            key={"mender_key": "", "algorithm": "ecdsa"},
            scripts={"folders": []},
            control={"refresh": 0.5},
            commit={"folder": str(tmp_path / "health.d"), **commit},
        )
        site = Site(
            device=device,
            server=server,
            release=tmp_path / "v2.mender",
            health=tmp_path / "health.d",
        )
        try:
            yield site
        finally:
            site.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path) as found:
        yield found


def deployed(site: Site, control_map: Any = None) -> Deployment:
    return site.server.fleet.deploy(site.release, control_map)


def is_over(site: Site, deployment: Deployment) -> bool:
    return deployment.is_over and site.is_at("Idle")


def test_a_deployment_is_installed_tried_committed_and_reported(site: Site) -> None:
    deployment = deployed(site)

    site.start()
    site.reboots()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses == [
        "downloading",
        "installing",
        "rebooting",
        "installing",
        "success",
    ]
    assert site.device.running == "B"
    assert site.device.environment["upgrade_available"] == "0"
    site.wait(lambda: site.server.fleet.device.attributes.get("artifact_name") == "v2", "inventory")
    assert site.server.fleet.device.attributes["device_type"] == "scratch"
    assert site.server.fleet.device.attributes["ota_security_floor"] == "rootfs-image 1"


def test_an_inventory_is_made_in_its_own_time_and_not_with_each_poll(site: Site) -> None:
    folder, count = site.device.folder / "inventory", site.device.folder / "count"
    folder.mkdir()
    (folder / "script").write_text(f"#!/bin/sh\necho >>{count}; echo size=1\n")
    (folder / "script").chmod(0o755)
    configuration = site.device.configuration
    text = configuration.read_text()
    configuration.write_text(text.replace("inventory = []", f'inventory = ["{folder}"]'))

    site.start()
    site.wait(lambda: len(site.server.asked("deployments/next")) >= 4, "fourth poll")

    assert site.server.fleet.device.attributes["size"] == "1"
    assert count.read_text().count("\n") == 1


def test_an_address_that_has_expired_is_asked_for_again(site: Site) -> None:
    deployment = deployed(site)
    site.server.faults.append(Fault(path="/artifacts/", kind="answer", status=403, times=1))

    site.start()
    site.reboots()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "success"
    assert len(site.server.asked("/artifacts/")) >= 2


def test_an_unhealthy_release_comes_back_and_the_server_gets_the_log(site: Site) -> None:
    check = site.health / "10-app"
    check.write_text("#!/bin/sh\necho no database\nexit 1\n")
    check.chmod(0o755)
    deployment = deployed(site)

    site.start()
    site.reboots()
    site.reboots()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "failure"
    assert site.device.running == "A"
    log = "\n".join(each["message"] for each in deployment.log)
    assert "NOT VERIFIED: no key is configured" in log
    assert "no database" in log
    assert "state ArtifactInstall" in log
    assert "no log of the trial boot" in log


def test_a_release_that_dies_before_the_agent_is_reported_with_the_bootloaders_reason(
    site: Site,
) -> None:
    deployment = deployed(site)

    site.start()
    site.wait((site.device.folder / "rebooted").exists, "reboot")
    site.stop()
    site.device.boot()
    site.device.boot()
    site.start()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "failure"
    assert any(
        "started on trial, and never committed" in each["message"] for each in deployment.log
    )


def test_a_server_that_is_away_during_the_trial_is_waited_for_over_a_power_cut(site: Site) -> None:
    deployment = deployed(site)
    site.start()
    site.wait((site.device.folder / "rebooted").exists, "reboot")
    (site.device.folder / "rebooted").unlink()
    site.stop()
    site.device.boot()
    fault = Fault(path="/", kind="answer", status=503, times=1000)
    site.server.faults.append(fault)

    site.start()
    site.wait(lambda: site.device.environment["bootcount"] == "0", "wait of the trial")
    site.stop()
    site.device.boot()
    assert site.device.running == "B"
    fault.times = 0
    site.start()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "success"


def test_an_abort_by_the_server_is_noticed_and_nothing_is_installed(site: Site) -> None:
    deployment = deployed(site, {"states": {"ArtifactInstall_Enter": {"action": "pause"}}})
    site.start()
    site.wait(lambda: "pause_before_installing" in deployment.statuses, "pause")

    deployment.is_aborted = True
    site.wait(lambda: site.is_at("Idle"), "end")

    assert site.device.environment["upgrade_available"] == "0"


def test_a_user_pauses_before_the_reboot_and_any_reboot_counts(site: Site) -> None:
    site.start()
    site.wait(lambda: site.status(), "daemon")
    site.call("pause", before="ArtifactReboot")
    deployment = deployed(site)

    site.wait(lambda: "pause_before_rebooting" in deployment.statuses, "pause")
    status = site.status()
    assert status is not None
    assert status.waits_for == "ArtifactReboot"
    site.stop()
    site.device.boot()
    site.start()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "success"


def test_a_user_aborts_while_it_is_paused(site: Site) -> None:
    site.start()
    site.wait(lambda: site.status(), "daemon")
    site.call("pause", before="ArtifactReboot")
    deployment = deployed(site)
    site.wait(lambda: (s := site.status()) and s.waits_for == "ArtifactReboot", "pause")

    with pytest.raises(Wrong, match="at ArtifactReboot; try again later") as refused:
        site.call("commit")
    assert refused.value.kind == "busy"
    site.call("abort", reason="not today")
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "failure"
    assert site.device.environment["mender_boot_part"] == "2"
    assert any("not today" in each["message"] for each in deployment.log)


def test_a_board_that_is_offline_commits_by_its_policy(tmp_path: Path) -> None:
    with site_of(tmp_path, policy="local") as site:
        deployment = deployed(site)
        site.start()
        site.wait((site.device.folder / "rebooted").exists, "reboot")
        site.stop()
        site.device.boot()
        fault = Fault(path="/", kind="answer", status=503, times=1000)
        site.server.faults.append(fault)
        site.start()
        site.wait(lambda: site.device.environment["upgrade_available"] == "0", "commit")
        assert not deployment.is_over
        fault.times = 0

        site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "success"


def test_a_report_that_was_lost_to_a_power_cut_is_true_all_the_same(site: Site) -> None:
    deployment = deployed(site)
    site.start()
    site.wait((site.device.folder / "rebooted").exists, "reboot")
    (site.device.folder / "rebooted").unlink()
    site.stop()
    site.device.boot()
    site.server.faults.append(Fault(path="/status", kind="stall", seconds=0.0, times=0))
    site.start()
    site.wait(lambda: site.device.environment["upgrade_available"] == "0", "commit")
    site.stop()
    site.device.boot()
    site.start()
    site.wait(lambda: is_over(site, deployment), "end")

    assert deployment.statuses[-1] == "success"
    assert "failure" not in deployment.statuses


def test_what_the_daemon_refuses_it_refuses_at_once(site: Site) -> None:
    site.start()
    site.wait(lambda: site.status(), "daemon")

    for call in ("commit", "resume"):
        with pytest.raises(Exception, match="No update in progress"):
            site.call(call)
