# SPDX-License-Identifier: Apache-2.0
"""What runs is what the running slot says, for every command and for the server."""

import json
import os
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.config.settings import load_settings
from ota_agent.engine.assembly import assemble
from ota_agent.lifecycle.states import Cleaning, Committed, Reporting
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.runs import Slots
from ota_artifact.provides import ROOTFS
from tests.conftest import requires_program
from tests.unit.agent.cli.test_update_by_hand import agent, made
from tests.unit.agent.scratch import Scratch, scratch

pytestmark = [
    pytest.mark.boot,
    requires_program("fw_setenv", package="libubootenv-tool"),
]


@pytest.fixture
def device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Scratch:
    """It runs v3 in slot A, and has v2 in slot B."""
    (tmp_path / "health.d").mkdir()
    found = scratch(
        tmp_path / "device",
        slot=2 << 20,
        commit={"folder": str(tmp_path / "health.d")},
        scripts={"folders": []},
    )
    for name in ("v2", "v3"):
        assert agent(found, "install", str(made(tmp_path, name))) == 0
        found.boot()
        assert agent(found, "commit") == 0
    capsys.readouterr()
    return found


def falls_back(device: Scratch) -> None:
    """The slot that runs no longer loads: the bootloader starts the other one, for good."""
    device.set(mender_boot_part="3", mender_boot_part_hex="3", ota_rollback="load 2")
    device.boot()


def told(device: Scratch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    agent(device, *words)
    return capsys.readouterr().out


def test_after_a_fallback_all_commands_say_what_runs_and_why(
    device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    falls_back(device)

    assert told(device, capsys, "show-artifact") == "v2\n"
    assert json.loads(told(device, capsys, "show-provides", "--json")) == {
        "artifact_name": "v2",
        "rootfs-image.version": "v2",
    }
    assert "the bootloader went back (load 2)" in told(device, capsys, "status")
    assert "artifact-name-differs" in told(device, capsys, "doctor")


def test_an_agent_that_starts_after_a_fallback_remembers_it(
    device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    falls_back(device)

    for _ in range(2):
        with assemble(load_settings(device.configuration)) as running:
            status = running.live.get()
            assert (status.installed, status.running_slot) == ("v2", "B")
            assert "the last update that was committed is v3 in slot A" in status.warning
            assert running.store.provides["rootfs-image.version"] == "v2"
    assert told(device, capsys, "show-artifact") == "v2\n"
    assert "artifact-name-differs" not in told(device, capsys, "doctor")


def test_a_trial_whose_memory_is_lost_is_never_remembered(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agent(device, "install", str(made(tmp_path, "v4"))) == 0
    device.boot()
    assert device.running == "B"
    for path in (device.folder / "data").glob("state.db*"):
        os.truncate(path, 0)

    with assemble(load_settings(device.configuration)):
        pass
    device.boot()  # the bootloader goes back

    with assemble(load_settings(device.configuration)) as running:
        status = running.live.get()
        assert status.running_slot == "A"
        assert status.installed != "v4"
        assert "went back (count" in status.warning


def test_a_committed_update_ends_the_warning(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    falls_back(device)
    assert agent(device, "install", str(made(tmp_path, "v5"))) == 0
    device.boot()
    assert agent(device, "commit") == 0

    with assemble(load_settings(device.configuration)) as running:
        assert running.live.get().warning == ""
        assert running.live.get().installed == "v5"


@pytest.mark.parametrize("kind", [Cleaning, Reporting])
def test_an_update_that_is_still_to_be_told_does_not_hide_what_runs(
    device: Scratch, capsys: pytest.CaptureFixture[str], kind: type[Cleaning | Reporting]
) -> None:
    """The server may be away for weeks."""
    artifact = Artifact(name="v3", types=(ROOTFS,))
    update = Update(source=Address("a"), deployment="d", artifact=artifact, target="A")
    with assemble(load_settings(device.configuration)) as running:
        running.store.save(kind(update), "a boot")
    falls_back(device)

    assert told(device, capsys, "show-artifact") == "v2\n"
    with assemble(load_settings(device.configuration)) as running:
        assert running.live.get().installed == "v2"
        assert "the last update that was committed is v3" in running.live.get().warning


def test_a_committed_slot_that_no_longer_loads_is_not_what_is_remembered(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The power fails after the commit, and before the new release is remembered."""
    assert agent(device, "install", str(made(tmp_path, "v4"))) == 0
    device.boot()
    assert agent(device, "commit", "--stop-before", "Cleanup") == 0
    with assemble(load_settings(device.configuration)) as running:
        state = running.state
        assert isinstance(state, Cleaning | Committed)
        before = {"artifact_name": "v3", "rootfs-image.version": "v3"}
        running.store.save_provides(before, running.store.slots or Slots())
        running.store.save(Committed(state.update), "a boot")
    device.set(mender_boot_part="2", mender_boot_part_hex="2", ota_rollback="load 3")
    device.boot()

    assert agent(device, "resume") != 0
    capsys.readouterr()

    assert told(device, capsys, "show-artifact") == "v3\n"
