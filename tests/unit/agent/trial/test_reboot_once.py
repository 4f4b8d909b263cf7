# SPDX-License-Identifier: Apache-2.0
"""The health check on the page about trials reboots once before it says no."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.trial.health import CommitOptions, check_health
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "howto" / "trial.md"
NAME = "05-ethernet"


def script_of(page: str) -> str:
    """The script that the page puts into health.d under this name."""
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if f"/etc/ota/health.d/{NAME}:" in block:
            return str(block)
    raise ValueError(f"{NAME} is not on the page")


@dataclass(frozen=True, slots=True)
class Device:
    """A device on trial, as far as the check sees it."""

    folder: Path

    @property
    def did(self) -> list[str]:
        """The commands that it was given, in order."""
        log = self.folder / "did"
        return log.read_text().splitlines() if log.exists() else []

    def starts(self, boot: str, *, link: str, uptime: int = 90, release: str = "release=2") -> None:
        """Have it up for a while after a start."""
        (self.folder / "boot").write_text(f"{boot}\n")
        (self.folder / "uptime").write_text(f"{uptime}.25 100.00\n")
        (self.folder / "release").write_text(f"{release}\n")
        (self.folder / "net" / "eth0" / "carrier").write_text(f"{link}\n")

    def check(self) -> None:
        """Ask the check as the agent does, and not a second time."""
        check_health(CommitOptions(folder=self.folder / "health.d", patience=0))


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    (tmp_path / "net" / "eth0").mkdir(parents=True)
    (tmp_path / "net" / "lo").mkdir()
    (tmp_path / "health.d").mkdir()
    (tmp_path / "bin").mkdir()
    programs = {tmp_path / "health.d" / NAME: script_of(PAGE.read_text("utf-8"))}
    for name in ("fw_setenv", "reboot"):
        programs[tmp_path / "bin" / name] = f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/did\n'
    for path, text in programs.items():
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name in ("net", "uptime", "release", "tried", "boot"):
        monkeypatch.setenv(name.upper(), str(tmp_path / name))
    return Device(tmp_path)


def test_a_link_is_healthy_and_nothing_is_left_behind(device: Device) -> None:
    device.starts("one", link="1")

    device.check()

    assert device.did == []
    assert not (device.folder / "tried").exists()


def test_a_link_that_is_not_up_yet_is_waited_for(device: Device) -> None:
    device.starts("one", link="0", uptime=20)

    with pytest.raises(AgentError, match="not ready"):
        device.check()

    assert device.did == []


def test_without_a_link_the_trial_gets_one_more_boot(device: Device) -> None:
    device.starts("one", link="0")
    with pytest.raises(AgentError, match="not ready after 0 s: no link a minute after the start"):
        device.check()
    assert device.did == ["fw_setenv bootcount 0", "reboot"]

    device.starts("two", link="1")
    device.check()

    assert not (device.folder / "tried").exists()


def test_a_check_that_is_asked_again_while_the_device_goes_down_waits(device: Device) -> None:
    device.starts("one", link="0")
    for _ in range(2):
        with pytest.raises(AgentError, match="not ready"):
            device.check()

    assert device.did == ["fw_setenv bootcount 0", "reboot"]


def test_without_a_link_after_the_reboot_the_answer_is_no(device: Device) -> None:
    device.starts("one", link="0")
    with pytest.raises(AgentError, match="not ready"):
        device.check()

    device.starts("two", link="0")
    with pytest.raises(AgentError, match="exit code 1: no link, and none before the reboot"):
        device.check()

    assert device.did == ["fw_setenv bootcount 0", "reboot"]
    assert not (device.folder / "tried").exists()


def test_a_note_of_another_release_does_not_count(device: Device) -> None:
    device.starts("one", link="0", release="release=1")
    with pytest.raises(AgentError, match="not ready"):
        device.check()

    device.starts("two", link="0", release="release=2")
    with pytest.raises(AgentError, match="not ready"):
        device.check()

    assert device.did.count("reboot") == 2


@pytest.mark.parametrize("broken", ["tried", "fw_setenv"])
def test_it_does_not_reboot_if_something_cannot_be_written(device: Device, broken: str) -> None:
    device.starts("one", link="0")
    if broken == "tried":
        (device.folder / "tried").mkdir()
    else:
        (device.folder / "bin" / "fw_setenv").write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(AgentError, match="exit code 1"):
        device.check()

    assert device.did == []
