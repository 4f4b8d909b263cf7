# SPDX-License-Identifier: Apache-2.0
"""The daemon, its socket and the bridge together, as on a device without a server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.api.client import Client
from ota_agent.api.messages import Wrong
from ota_agent.dbus.interfaces import AGENT, AUTHENTICATION, UPDATE
from tests.conftest import requires_program
from tests.unit.agent.api.serving import wait_until
from tests.unit.agent.dbus.bus import bridged, call, get, running_bus

pytestmark = [requires_program("dbus-daemon", package="dbus-daemon"), pytest.mark.boot]

_CONFIGURATION = """
[device]
device_type = "test"
data = "{0}/data"
run = "{0}/run"
slot_a = "{0}/slot2"
slot_b = "{0}/slot3"
running = "A"
bootloader = "file"
environment = "{0}/environment"
reboot = ["true"]
"""
_MAP = (
    '{"id": "01234567-89ab-cdef-0123-456789abcdef", "priority": 1,'
    ' "states": {"ArtifactReboot_Enter": {"action": "pause"}}}'
)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a device, with its daemon running."""
    for name in ("slot2", "slot3"):
        (tmp_path / name).write_bytes(bytes(4096))
    (tmp_path / "data").mkdir()
    (tmp_path / "environment").write_text("mender_boot_part=2\nupgrade_available=0\n")
    (tmp_path / "agent.toml").write_text(_CONFIGURATION.format(tmp_path))
    command = str(Path(sys.executable).parent / "ota-agent")
    words = [command, "daemon", "-c", str(tmp_path / "agent.toml")]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as daemon:  # noqa: S603
        try:
            wait_until((tmp_path / "run" / "agent.sock").exists)
            yield tmp_path
        finally:
            daemon.terminate()
            daemon.communicate(timeout=20)
        assert daemon.returncode == 0
        assert not (tmp_path / "run" / "agent.sock").exists()


def test_the_bus_says_and_does_what_the_daemon_does(device: Path) -> None:
    socket = device / "run" / "agent.sock"
    with (
        Client(socket) as client,
        running_bus(device) as address,
        bridged(address, socket),
    ):
        assert get(address, "State").split() == ["variant", "Idle"]
        assert get(address, "RunningSlot").split() == ["variant", "A"]
        assert call(address, AUTHENTICATION, "GetJwtToken") == ""
        assert call(address, AUTHENTICATION, "FetchJwtToken") == "boolean false"
        assert call(address, UPDATE, "SetUpdateControlMap", f"string:{_MAP}") == "int32 1800"
        assert call(address, AGENT, "SetWindow", "string:Sun 01:00-02:00") == ""
        assert "Error.Impossible: window: 'never'" in call(
            address, AGENT, "SetWindow", "string:never"
        )
        assert "No update in progress" in call(address, AGENT, "Abort", "string:no")
        with pytest.raises(Wrong, match="has no server"):
            client.call("check_update")

        assert call(address, AGENT, "SetEnabled", "boolean:false") == ""
        wait_until(lambda: get(address, "IsEnabled") == "variant       boolean false")
        assert call(address, AGENT, "Install", f"string:{device}/none.mender") == ""
        wait_until(lambda: client.status().updates == 1)

        status = client.status()
        assert (status.state, status.result) == ("Idle", "failure")
        assert "none.mender: No such file" in status.reason
        assert not status.is_enabled
        assert status.window.lower() == "sun 01:00-02:00"
        wait_until(lambda: "failure" in get(address, "Result"))
