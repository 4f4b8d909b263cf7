# SPDX-License-Identifier: Apache-2.0
"""Mender's own client, from Debian, accepts the simulated server as a Mender server.

It runs in a mount namespace of its own, where /etc and /usr/share have the files that it needs.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.run import Background, run
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.interop.mender_client import unpack_client
from tests.simulators.mender_fleet import Fleet
from tests.simulators.mender_server import mender_server
from tests.unit.artifact.writing import sources, written

MODULE = """#!/bin/sh
case $1 in
SupportsRollback) echo Yes ;;
NeedsArtifactReboot) echo No ;;
esac
"""
NAMESPACE = ("unshare", "--map-root-user", "--mount")


def has_namespaces() -> bool:
    try:
        run((*NAMESPACE, "true"), timeout=10)
    except ProgramError:
        return False
    return True


pytestmark = [
    pytest.mark.boot,  # the client waits seconds between its states
    pytest.mark.timeout(120),  # [s] the first one fetches the package
    requires_program("unshare", package="util-linux"),
    pytest.mark.skipif(not has_namespaces(), reason="no mount namespaces for this user here"),
]


@contextmanager
def mender(folder: Path, url: str) -> Iterator[None]:
    """The client's daemon while the block runs; its output is printed at the end."""
    share = folder / "root" / "usr/share/mender"
    scripts = {
        share / "identity/mender-device-identity": "#!/bin/sh\necho mac=00:11:22:33:44:66\n",
        share / "inventory/mender-inventory-os": "#!/bin/sh\necho os=x; echo m=1; echo m=2\n",
        share / "modules/v3/note": MODULE,
    }
    polls = ("UpdatePollIntervalSeconds", "InventoryPollIntervalSeconds")
    configuration = {
        "ServerURL": url,
        "DBus": {"Enabled": False},
        **dict.fromkeys((*polls, "RetryPollIntervalSeconds"), 1),
    }
    texts = {
        folder / "root/etc/mender/mender.conf": json.dumps(configuration),
        folder / "root/etc/mender/artifact_info": "artifact_name=v1\n",
        folder / "store/device_type": "device_type=board\n",
    }
    for path, text in {**scripts, **texts}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    mounts = " && ".join(
        f"mount -t overlay o -o lowerdir={folder}/root{place}:{place} {place}"
        for place in ("/etc", "/usr/share")
    )
    program = unpack_client() / "usr/bin/mender"
    log = folder / "log"
    command = f"{mounts} && exec {program} --data {folder}/store --no-syslog daemon >{log} 2>&1"
    client = Background((*NAMESPACE, "sh", "-c", command))
    try:
        yield
    finally:
        client.kill()
        client.close()
        print(log.read_text() if log.exists() else "it did not start")


def wait_for(fleet: Fleet, what: Callable[[], object], timeout: float = 40.0) -> None:
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, [each.statuses for each in fleet.deployments]
        time.sleep(0.1)


def artifact(folder: Path) -> Path:
    header = PayloadHeader(type="note", provides={"rootfs-image.note.version": "v2"})
    payload = PayloadSpec(header, sources(folder / "files", {"file": b"new"}))
    path = folder / "any-name.mender"
    written(
        ArtifactSpec(
            Header(version=3, artifact_name="v2", compatible_types=("board",), payloads=(header,)),
            (payload,),
        ),
        path,
    )
    return path


PAUSED = {"priority": 0, "states": {"ArtifactInstall_Enter": {"action": "pause"}}}


def test_menders_client_installs_what_the_simulated_server_deploys(tmp_path: Path) -> None:
    with mender_server() as server, mender(tmp_path, server.url):
        fleet = server.fleet
        deployment = fleet.deploy(artifact(tmp_path), PAUSED)
        wait_for(fleet, lambda: "pause_before_installing" in deployment.statuses)
        deployment.control_map = {}  # one that is null would be asked for again
        wait_for(fleet, lambda: deployment.is_over)
        wait_for(fleet, lambda: fleet.device.provides.get("artifact_name") == "v2")

    assert deployment.statuses == [
        "downloading",
        "pause_before_installing",
        "installing",
        "success",
    ]
    assert {"os": "x", "m": ["1", "2"]}.items() <= fleet.device.attributes.items()
    assert json.loads(fleet.device.identity) == {"mac": "00:11:22:33:44:66"}


def test_menders_client_hears_of_an_abort_while_it_is_paused(tmp_path: Path) -> None:
    with mender_server() as server, mender(tmp_path, server.url):
        fleet = server.fleet
        deployment = fleet.deploy(artifact(tmp_path), PAUSED)
        wait_for(fleet, lambda: "pause_before_installing" in deployment.statuses)
        deployment.is_aborted = True
        wait_for(fleet, lambda: any(each.status == 404 for each in server.asked("control_map")))
        polls = len(server.asked("next"))
        wait_for(fleet, lambda: len(server.asked("next")) > polls)

    assert "installing" not in deployment.statuses
    assert fleet.device.provides["artifact_name"] == "v1"
