# SPDX-License-Identifier: Apache-2.0
"""State scripts: which run, in which order, and what their ends mean."""

import logging
import os
import stat
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.scripts import ScriptOptions, Scripts
from ota_artifact.errors import ProgramError
from ota_artifact.header import Script


class Time:
    """A clock that advances only during a sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, duration: float) -> None:
        self.now += duration


class Device:
    """A device with two folders of scripts, and a diary that all scripts write into."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.menders = folder / "ota" / "scripts", folder / "mender" / "scripts"
        self.artifact, self._diary = folder / "data" / "scripts", folder / "diary"
        self.time = Time()
        self.asked = 0

    def scripts(self, **options: float) -> Scripts:
        settings = ScriptOptions(
            folders=(self.ours, self.menders), artifact_scripts=self.artifact, **options
        )
        return Scripts(settings, sleep=self.time.sleep, clock=self.time.clock, check=self.check)

    def check(self) -> None:
        self.asked += 1

    def content(self, text: str, body: str = "") -> bytes:
        return f"#!/bin/sh\necho {text} >> {self._diary}\n{body}\n".encode()

    def put(self, folder: Path, name: str, body: str = "", *, mode: int = 0o755) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / name
        script.write_bytes(self.content(f"{folder.parent.name}/{name}", body))
        script.chmod(mode)
        return script

    @property
    def diary(self) -> list[str]:
        return self._diary.read_text().split() if self._diary.exists() else []


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_scripts_run_in_the_order_of_their_names(device: Device) -> None:
    for name in ("Sync_Enter_10_b", "Sync_Enter_05", "Sync_Enter_10_a"):
        device.put(device.ours, name)

    device.scripts().run("Sync", "Enter")

    assert device.diary == ["ota/Sync_Enter_05", "ota/Sync_Enter_10_a", "ota/Sync_Enter_10_b"]


@pytest.mark.parametrize(
    "name",
    [
        "Sync_Leave_01",
        "Sync_Enter_1",
        "Sync_Enter_001",
        "Sync_Enter_01.bak",
        "Sync_Enter_01_with space",
        "xSync_Enter_01",
        "ArtifactInstall_Enter_01",
        "README",
    ],
)
def test_what_has_another_name_does_not_run(device: Device, name: str) -> None:
    device.put(device.ours, name)

    device.scripts().run("Sync", "Enter")

    assert device.diary == []


def test_a_device_without_scripts_has_nothing_to_run(device: Device) -> None:
    device.scripts().run("Idle", "Enter")
    device.scripts().run("ArtifactInstall", "Enter")


def test_both_folders_of_the_device_count_and_the_first_wins(device: Device) -> None:
    device.put(device.ours, "Idle_Enter_02_x")
    device.put(device.menders, "Idle_Enter_02_x")
    device.put(device.menders, "Idle_Enter_01_y")

    device.scripts().run("Idle", "Enter")

    assert device.diary == ["mender/Idle_Enter_01_y", "ota/Idle_Enter_02_x"]


def test_scripts_of_the_artifact_run_from_its_folder_alone(device: Device) -> None:
    device.put(device.ours, "ArtifactInstall_Enter_00")
    device.put(device.artifact, "ArtifactInstall_Enter_00")
    device.put(device.artifact, "Download_Enter_00")

    device.scripts().run("ArtifactInstall", "Enter")
    device.scripts().run("Download", "Enter")

    assert device.diary == ["data/ArtifactInstall_Enter_00"]


def test_one_that_is_not_executable_is_skipped_with_a_warning(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.put(device.ours, "Sync_Enter_01", mode=0o644)
    device.put(device.ours, "Sync_Enter_02")

    device.scripts().run("Sync", "Enter")

    assert device.diary == ["ota/Sync_Enter_02"]
    assert "Sync_Enter_01: is not executable, and is not run; chmod +x" in caplog.text


def test_what_it_says_is_logged_and_its_begin_and_end_are_reported(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    device.put(device.ours, "Download_Leave_01", "echo hello; echo oh >&2")
    said: list[str] = []

    device.scripts().run("Download", "Leave", report=said.append)

    assert said == [
        "Executing script: Download_Leave_01",
        "finished executing script: Download_Leave_01",
    ]
    lines = [(record.levelname, record.message) for record in caplog.records]
    assert ("INFO", "Download_Leave_01 (stdout): hello") in lines
    assert ("INFO", "Download_Leave_01 (stderr): oh") in lines


def test_the_first_that_fails_is_the_last(device: Device) -> None:
    device.put(device.ours, "Download_Enter_01", "exit 4")
    device.put(device.ours, "Download_Enter_02")

    with pytest.raises(AgentError, match="Download_Enter_01: exit code 4"):
        device.scripts().run("Download", "Enter")

    assert device.diary == ["ota/Download_Enter_01"]


def test_one_that_dies_of_a_signal_has_failed(device: Device) -> None:
    device.put(device.ours, "Download_Enter_01", "kill -9 $$")

    with pytest.raises(AgentError, match="exit code -9"):
        device.scripts().run("Download", "Enter")


@pytest.mark.parametrize("is_ignored", [False, True])
@pytest.mark.parametrize("moment", ["Error", "Leave"])
def test_all_run_at_an_error_or_where_they_change_nothing(
    device: Device, moment: str, is_ignored: bool
) -> None:
    device.put(device.artifact, "ArtifactCommit_Error_01", "exit 1")
    device.put(device.artifact, "ArtifactCommit_Error_02", "exit 2")
    device.put(device.artifact, "ArtifactCommit_Error_03")
    device.put(device.artifact, "ArtifactCommit_Leave_01", "exit 1")
    device.put(device.artifact, "ArtifactCommit_Leave_02")

    with pytest.raises(AgentError, match="_01: exit code 1"):
        device.scripts().run(
            "ArtifactCommit", "Error" if moment == "Error" else "Leave", is_ignored=is_ignored
        )

    stops = moment == "Leave" and not is_ignored
    assert len(device.diary) == {"Error": 3, "Leave": 1 if stops else 2}[moment]


def test_one_that_hangs_is_killed_and_has_failed(device: Device) -> None:
    device.put(device.ours, "Download_Enter_01", "exec sleep 60")

    with pytest.raises(
        ProgramError, match=r"Download_Enter_01: did not finish within 0\.2 s; it was killed"
    ):
        device.scripts(timeout=0.2).run("Download", "Enter")


def test_one_that_asks_for_it_runs_again_later(device: Device) -> None:
    body = f"[ $(wc -l < {device._diary}) -ge 3 ] || exit 21"
    device.put(device.ours, "Download_Enter_01", body)
    device.put(device.ours, "Download_Enter_02")

    device.scripts().run("Download", "Enter")

    assert device.diary == ["ota/Download_Enter_01"] * 3 + ["ota/Download_Enter_02"]
    assert device.time.now == 120
    assert device.asked >= 120  # nobody waits a minute to abort


def test_each_may_ask_for_it_only_so_long(device: Device) -> None:
    device.put(device.ours, "Download_Enter_01", "exit 21")

    with pytest.raises(AgentError, match=r"wants to run later .* for more than 150 s"):
        device.scripts(retry_timeout=150).run("Download", "Enter")

    assert device.time.now == 120
    assert len(device.diary) == 3


def test_the_budget_of_one_is_not_spent_by_another(device: Device) -> None:
    again = f"[ $(grep -c $(basename $0) {device._diary}) -ge 3 ] || exit 21"
    device.put(device.ours, "Download_Enter_01", again)
    device.put(device.ours, "Download_Enter_02", again)

    device.scripts(retry_timeout=130).run("Download", "Enter")

    assert device.time.now == 240


def test_who_aborts_does_so_while_a_script_waits(device: Device) -> None:
    device.put(device.artifact, "ArtifactInstall_Enter_01", "exit 21")

    def aborted() -> None:
        if device.time.now > 5:
            raise AgentError("aborted by the server")

    device.check = aborted  # type: ignore[method-assign]
    with pytest.raises(AgentError, match="aborted by the server"):
        device.scripts().run("ArtifactInstall", "Enter")

    assert 5 < device.time.now < 8


@pytest.mark.parametrize("state", ["ArtifactRollback", "ArtifactRollbackReboot", "ArtifactFailure"])
def test_nobody_aborts_a_way_back(device: Device, state: str) -> None:
    body = f"[ $(wc -l < {device._diary}) -ge 2 ] || exit 21"
    device.put(device.artifact, f"{state}_Enter_01", body)

    device.scripts().run(state, "Enter")

    assert len(device.diary) == 2
    assert device.asked == 0


def test_a_version_that_is_not_a_file_holds_nothing_up(device: Device) -> None:
    device.ours.mkdir(parents=True, exist_ok=True)
    os.mkfifo(device.ours / "version")

    with pytest.raises(AgentError, match="version: is not a file"):
        device.scripts().run("ArtifactCommit", "Enter")


@pytest.mark.parametrize("version", ["2", "3\n"])
def test_scripts_of_these_versions_run(device: Device, version: str) -> None:
    device.put(device.ours, "Sync_Enter_01")
    (device.ours / "version").write_text(version)

    device.scripts().run("Sync", "Enter")

    assert device.diary


def test_scripts_for_another_agent_are_refused(device: Device) -> None:
    device.put(device.ours, "Sync_Enter_01")
    (device.ours / "version").write_text("4")

    with pytest.raises(AgentError, match="version: '4' is not one of 2, 3"):
        device.scripts().run("Sync", "Enter")
    assert device.diary == []


def test_a_system_whose_own_scripts_are_for_another_agent_is_not_committed(device: Device) -> None:
    device.put(device.menders, "Sync_Enter_01")
    (device.menders / "version").write_text("4")

    with pytest.raises(AgentError, match="mender/scripts/version: '4'"):
        device.scripts().run("ArtifactCommit", "Enter")


def test_scripts_of_an_artifact_take_the_place_of_the_last_ones(device: Device) -> None:
    device.put(device.artifact, "ArtifactCommit_Enter_00_old")
    new = Script("ArtifactCommit_Enter_00_new", device.content("new"))

    device.scripts().store((new,))
    device.scripts().run("ArtifactCommit", "Enter")

    assert device.diary == ["new"]
    assert sorted(path.name for path in device.artifact.iterdir()) == [new.name, "version"]
    assert stat.S_IMODE((device.artifact / new.name).stat().st_mode) == 0o700
    assert (device.artifact / "version").read_text() == "3"


def test_an_artifact_without_scripts_leaves_none_of_the_last_ones(device: Device) -> None:
    device.put(device.artifact, "ArtifactCommit_Enter_00_old")

    device.scripts().store(())

    assert [path.name for path in device.artifact.iterdir()] == ["version"]


def test_a_folder_that_cannot_be_written_is_named(device: Device, tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(AgentError, match=r"data/scripts: .*; is there room on /data\?"):
        device.scripts().store(())
