# SPDX-License-Identifier: Apache-2.0
"""`ota-agent status`: with an agent, without one, and while it changes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.api.status import Status
from ota_agent.cli.main import main
from ota_agent.cli.status import current
from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Downloading, Installed, Trying
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.store import Store
from tests.unit.agent.api.serving import Daemon, serving

UPDATE = Update(
    source=Address("https://server/v2?signature=secret"),
    deployment="d1",
    artifact=Artifact(name="v2"),
    target="B",
    reason="late",
)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A folder with the configuration of a device in it."""
    (tmp_path / "agent.toml").write_text(
        f'[device]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n'
    )
    (tmp_path / "data").mkdir()
    return tmp_path


def options(folder: Path) -> DeviceOptions:
    return DeviceOptions(data=folder, run=folder, layout=folder / "none")


def test_the_agent_that_runs_says_it(tmp_path: Path) -> None:
    daemon = Daemon()
    daemon.live.change(state="Syncing")

    with serving(options(tmp_path).socket, daemon):
        assert current(options(tmp_path)) == (Status(state="Syncing"), True)


def test_without_an_agent_it_is_what_the_last_one_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.save(Trying(UPDATE), "boot")
    store.save_provides({"artifact_name": "v1"})
    store.close()

    status, is_served = current(options(tmp_path))

    assert not is_served
    assert status == Status(
        state="Trying",
        installed="v1",
        deployment="d1",
        source="https://server/v2",
        artifact="v2",
        slot="B",
        reason="late",
    )


@pytest.mark.parametrize("is_rebooting", [True, False])
def test_without_an_agent_it_says_whether_an_update_waits_for_a_reboot(
    tmp_path: Path, is_rebooting: bool
) -> None:
    store = Store(tmp_path / "state.db")
    store.save(Installed(replace(UPDATE, is_rebooting=is_rebooting)), "boot")
    store.close()

    status, _ = current(options(tmp_path))

    assert status.wants_reboot == is_rebooting


def test_a_device_that_was_never_updated_says_so_and_gets_no_file(tmp_path: Path) -> None:
    assert current(options(tmp_path)) == (Status(installed="unknown"), False)
    assert list(tmp_path.iterdir()) == []


def test_an_agent_that_may_not_be_asked_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    device = DeviceOptions(run=tmp_path / ("x" * 200))

    with pytest.raises(AgentError, match="does an agent serve there"):
        current(device)


def test_the_command_prints_sentences(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(device / "data" / "state.db")
    store.save(Downloading(Update(source=Address("/media/v2.mender"))), "boot")
    store.close()

    assert main(["status", "--config", str(device / "agent.toml")]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "Downloading: /media/v2.mender",
        "The device runs an unknown artifact",
        "The agent is not running, or is still starting; start it with: ota-agent daemon",
    ]


def test_the_command_prints_json(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    daemon = Daemon()

    with serving(device / "run" / "agent.sock", daemon):
        assert main(["status", "--json", "--config", str(device / "agent.toml")]) == 0

    assert json.loads(capsys.readouterr().out) == {**Status().to_json(), "is_served": True}


@pytest.mark.boot  # a process of its own
@pytest.mark.parametrize("option", [(), ("--json",)])
def test_watching_continues_from_one_agent_to_the_next(
    device: Path, option: tuple[str, ...]
) -> None:
    one, two = Daemon(), Daemon()
    two.live.change(state="Proven")
    command = str(Path(sys.executable).parent / "ota-agent")

    words = [command, "status", "--watch", *option, "--config", str(device / "agent.toml")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as user:  # noqa: S603
        assert user.stdout
        said = [user.stdout.readline()]  # of the last agent, as none runs
        with serving(device / "run" / "agent.sock", one):
            if option:
                said.append(user.stdout.readline())
            else:
                time.sleep(1)
            one.live.change(state="Syncing")
            said.append(user.stdout.readline())
        with serving(device / "run" / "agent.sock", two):
            while not any(each in said[-1] for each in ("trial", "Proven")):
                said.append(user.stdout.readline())
        user.terminate()

    if option:
        assert [json.loads(each)["state"] for each in said[:3]] == ["Idle", "Idle", "Syncing"]
    else:
        assert said[:2] == ["No update is under way\n", "Asking the server for an update\n"]


@pytest.mark.boot  # a process of its own
def test_on_a_terminal_progress_stays_in_one_line(device: Path) -> None:
    daemon = Daemon()
    daemon.live.change(state="Downloading", source="/v2.mender", size=100_000_000)
    command = str(Path(sys.executable).parent / "ota-agent")
    terminal, other_side = os.openpty()

    words = [command, "status", "--watch", "--config", str(device / "agent.toml")]
    with (
        serving(device / "run" / "agent.sock", daemon),
        subprocess.Popen(words, stdout=other_side, stderr=subprocess.DEVNULL) as user,  # noqa: S603
    ):
        os.close(other_side)
        seen = _read_until(terminal, b"0 %")
        daemon.live.change(done=50_000_000)
        seen += _read_until(terminal, b"50 %")
        daemon.live.change(state="Installing")
        seen += _read_until(terminal, b"Installing: /v2.mender")
        user.send_signal(signal.SIGINT)
    os.close(terminal)

    assert user.returncode == 130
    assert seen.replace(b"\r\n", b"\n").decode() == (
        "\r\033[KDownloading: /v2.mender: 0.0 MB of 100.0 MB, 0 %"
        "\r\033[KDownloading: /v2.mender: 50.0 MB of 100.0 MB, 50 %"
        "\n\r\033[KInstalling: /v2.mender"
    )


def _read_until(terminal: int, text: bytes) -> bytes:
    """What a terminal shows, up to the end of a text."""
    shown = b""
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], 10)
        assert ready, shown
        shown += os.read(terminal, 4096)
    return shown
