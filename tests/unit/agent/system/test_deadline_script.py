# SPDX-License-Identifier: Apache-2.0
"""The script that ends a trial that nobody decides on, in each shell that a device may have."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ota_agent.trial.claim import Claim
from ota_agent.trial.health import CommitOptions
from tests.house.tree import ROOT
from tests.unit.agent.system.test_boot_log_script import SHELLS

SCRIPT = ROOT / "tools" / "agent" / "system" / "lib" / "ota" / "deadline"
PAUSE = 0.02  # [s]

pytestmark = [
    pytest.mark.boot,  # a script that sleeps between its looks
    pytest.mark.parametrize("shell", SHELLS),
]


@dataclass(kw_only=True)
class Device:
    """A folder that stands for a device in its trial boot."""

    folder: Path
    shell: tuple[str, ...]
    watcher: subprocess.Popen[bytes] | None = None
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("bin", "run", "boots/000007-first"):
            (self.folder / name).mkdir(parents=True)
        for name in ("console", "kmsg"):
            (self.folder / name).touch()
        (self.folder / "boot_id").write_text("first\n")
        (self.folder / "fw_env.config").touch()
        (self.folder / "agent.toml").write_text(
            f'[commit]\ndeadline = 300  # ours\n[boot_log]\nfolder = "{self.folder / "boots"}"\n'
        )
        self.is_up(10)
        self.environment("upgrade_available=1\nbootcount=0")
        note = f'echo "$@" >>{self.folder / "said"}'
        self.program("fw_setenv", f'[ "$*" = "-s -" ] && cat >>{self.folder / "environment"}')
        self.program("reboot", note)
        self.program("fw_printenv", f'sed -n "s/^$2=//p" {self.folder / "environment"} | tail -n 1')

    def program(self, name: str, line: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def environment(self, text: str) -> None:
        (self.folder / "environment").write_text(f"{text}\n")

    def is_up(self, seconds: float) -> None:
        """So long ago the device was started."""
        new = self.folder / "uptime.new"
        new.write_text(f"{seconds:.2f} 1.00\n")
        new.replace(self.folder / "uptime")

    def agent_works(self) -> None:
        """An agent is at work on the trial, until it is killed."""
        code = (
            "import sys, time; from pathlib import Path\n"
            "from ota_agent.trial.claim import Claim\n"
            "Claim(Path(sys.argv[1])).hold(); time.sleep(60)"
        )
        before = self.claim()
        words = (sys.executable, "-c", code, str(self.folder / "run" / "trial"))
        self.agents.append(subprocess.Popen(words))  # noqa: S603
        until(lambda: self.claim() not in ("", before), "claim")

    def claim(self) -> str:
        try:
            return (self.folder / "run" / "trial").read_text()
        except OSError:
            return ""

    def agent_dies(self) -> None:
        agent = self.agents.pop()
        agent.kill()
        agent.wait()

    def start(self) -> None:
        places = {
            "OTA_CONFIG": "agent.toml",
            "OTA_KMSG": "kmsg",
            "OTA_CONSOLE_DEVICE": "console",
            "OTA_RUN": "run",
            "OTA_U_BOOT_CONFIG": "fw_env.config",
            "OTA_GRUB_CONFIG": "grub.config",
            "OTA_BOOT_ID": "boot_id",
            "OTA_UPTIME": "uptime",
            "OTA_SYSRQ": "sysrq",
        }
        words = [f"{name}={self.folder / place}" for name, place in places.items()]
        words += [
            f"OTA_LIB={SCRIPT.parent}",
            f"OTA_PAUSE={PAUSE}",
            "OTA_HURRY=0.05",
            "OTA_WRITE=0.2",
            "OTA_NAP=0.01",
        ]
        path = f"PATH={self.folder / 'bin'}:{os.environ['PATH']}"
        self.watcher = subprocess.Popen(  # noqa: S603
            ("env", *words, path, *self.shell, str(SCRIPT), "run"),  # noqa: S607
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return (self.folder / "console").read_text()

    def is_watching(self) -> bool:
        assert self.watcher is not None
        return self.watcher.poll() is None

    def waits(self) -> None:
        """Some looks later it still waits."""
        time.sleep(PAUSE * 12)
        assert self.is_watching(), self.said

    def close(self) -> None:
        if self.watcher is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.watcher.pid, signal.SIGKILL)
            self.watcher.wait()
        while self.agents:
            self.agent_dies()


def until(has_come: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 20
    while not has_come():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.01)


@pytest.fixture
def device(tmp_path: Path, shell: tuple[str, ...]) -> Iterator[Device]:
    found = Device(folder=tmp_path, shell=shell)
    yield found
    found.close()


def is_rebooted(device: Device) -> bool:
    """By all means: the program reboot does nothing here."""
    return (device.folder / "sysrq").exists()


def ends(device: Device) -> str:
    """Wait until it has rebooted the device; gives the reason that it leaves."""
    until(lambda: is_rebooted(device), "reboot")
    assert (device.folder / "said").read_text() == "\n-f\n"
    assert (device.folder / "sysrq").read_text() == "b\n"
    return (device.folder / "boots/000007-first/end").read_text().strip()


def test_a_trial_with_which_no_agent_is_at_work_ends_at_its_deadline(device: Device) -> None:
    device.start()
    device.waits()

    device.is_up(301)

    assert ends(device) == "no agent is at work on it 301 s after the boot"
    assert "ota: trial: no agent is at work" in device.said
    assert "<12>ota: trial: no agent is at work" in (device.folder / "kmsg").read_text()
    reason = "no agent is at work on it 301 s after the boot"
    said = (device.folder / "environment").read_text()
    assert said.endswith(f"bootcount=1\nota_end={reason}\n")


def test_an_agent_at_work_has_all_the_time_that_it_wants(device: Device) -> None:
    device.start()
    device.agent_works()
    device.is_up(9999)
    device.waits()

    device.agent_dies()

    assert ends(device).startswith("no agent is at work")


def test_an_agent_that_is_started_again_continues(device: Device) -> None:
    device.start()
    device.agent_works()
    device.is_up(9999)
    for _ in range(3):
        device.agent_works()
        device.agents[0].kill()
        device.agents.pop(0).wait()

    device.waits()


def test_what_a_dead_agent_left_does_not_count(device: Device) -> None:
    (device.folder / "run" / "trial").write_text(f"{os.getpid()} 1\n")  # the number is taken again
    device.is_up(400)

    device.start()

    assert ends(device).startswith("no agent is at work")


def test_an_agent_that_drops_its_claim_no_longer_counts(device: Device) -> None:
    device.start()
    claim = Claim(device.folder / "run" / "trial")
    claim.hold()
    device.is_up(400)
    device.waits()

    claim.drop()

    assert ends(device).startswith("no agent is at work")


def test_an_agent_that_hangs_counts_no_longer_than_it_has_said(device: Device) -> None:
    device.start()
    device.agent_works()
    end = device.claim().split()[2]
    os.kill(device.agents[0].pid, signal.SIGSTOP)
    device.is_up(int(end) - 1)
    device.waits()

    device.is_up(int(end))

    assert ends(device).startswith("no agent is at work")


def test_an_agent_that_says_it_again_is_still_the_same_one(device: Device) -> None:
    device.start()
    device.agent_works()
    device.is_up(301)

    for more in range(20):
        process, start, end = device.claim().split()
        new = device.folder / "run" / "new"
        new.write_text(f"{process} {start} {int(end) + more}\n")
        new.replace(device.folder / "run" / "trial")
        time.sleep(PAUSE * 2)

    device.waits()


def test_a_crash_loop_ends(device: Device) -> None:
    device.is_up(301)
    device.agent_works()
    device.start()

    for _ in range(100):
        device.agent_works()
        device.agents[0].kill()
        device.agents.pop(0).wait()
        if is_rebooted(device):
            break

    assert ends(device) == "the agent was started 11 times"


def test_a_trial_that_is_committed_is_left_alone(device: Device) -> None:
    device.start()
    device.waits()
    device.environment("upgrade_available=0")

    until(lambda: not device.is_watching(), "end")

    device.is_up(9999)
    assert not is_rebooted(device)


def test_a_boot_without_a_trial_is_not_watched(device: Device) -> None:
    device.environment("upgrade_available=0")
    device.is_up(9999)

    device.start()

    until(lambda: not device.is_watching(), "end")
    assert device.said == ""


def test_an_environment_that_shows_up_late_is_waited_for(device: Device) -> None:
    (device.folder / "environment").unlink()
    device.start()
    device.waits()
    device.environment("upgrade_available=1")
    device.waits()

    device.is_up(301)

    assert ends(device)


def test_an_environment_that_cannot_be_read_later_does_not_save_the_trial(device: Device) -> None:
    device.start()
    device.waits()
    (device.folder / "environment").unlink()

    device.is_up(301)

    assert ends(device)


def test_the_environment_of_grub_is_read_from_both_copies(device: Device) -> None:
    (device.folder / "fw_env.config").unlink()
    (device.folder / "grub.config").write_text(f"ENV_DIR = {device.folder}\n")
    device.start()
    device.waits()
    for number, trial in ((2, 1), (1, 0)):  # never only the one without a trial
        copy = device.folder / f"mender_grubenv{number}"
        copy.mkdir()
        text = f"# GRUB Environment Block\nupgrade_available={trial}\n"
        (copy / "env").write_text(text.ljust(1024, "#"))
    device.waits()

    device.is_up(301)

    assert ends(device)


@pytest.mark.parametrize("hangs", ["fw_printenv", "fw_setenv"])
def test_a_program_that_hangs_does_not_save_the_trial(device: Device, hangs: str) -> None:
    """It waits for a disk, or for another program that holds the environment."""
    device.start()
    device.waits()
    device.program(hangs, "exec sleep 300")
    device.waits()

    device.is_up(301)

    assert ends(device)


def test_a_full_run_does_not_save_the_trial(device: Device) -> None:
    (device.folder / "run").rmdir()
    (device.folder / "run").touch()

    device.start()
    device.waits()
    device.is_up(301)

    assert ends(device)


@pytest.mark.parametrize("unknown", ["fw_env.config", "environment"])
def test_a_board_whose_trials_cannot_be_seen_says_so(device: Device, unknown: str) -> None:
    (device.folder / unknown).unlink()
    if unknown == "fw_env.config":
        (device.folder / "bin" / "fw_printenv").unlink()
    device.is_up(9999)

    device.start()

    if unknown == "fw_env.config" and shutil.which("fw_printenv"):
        pytest.skip("this machine has fw_printenv")
    until(lambda: not device.is_watching(), "end")
    assert "deadline" in device.said
    assert not is_rebooted(device)


@pytest.mark.parametrize("text", ["soon", "", '"300s"', "-1", "12345678901234567890", "1e3"])
def test_a_deadline_that_is_not_a_number_is_the_default(device: Device, text: str) -> None:
    (device.folder / "agent.toml").write_text(f"[commit]\ndeadline = {text}\n")
    device.is_up(899)
    device.start()
    device.waits()

    device.is_up(900)

    until(lambda: is_rebooted(device), "reboot")


@pytest.mark.parametrize("text", ["0.5", "1", "0.001"])
def test_a_deadline_that_is_short_is_one(device: Device, text: str) -> None:
    (device.folder / "agent.toml").write_text(f"[commit]\ndeadline = {text}\n")

    device.start()

    until(lambda: is_rebooted(device), "reboot")


def test_no_deadline_is_none(device: Device) -> None:
    (device.folder / "agent.toml").write_text("[commit]\ndeadline = 0\n")
    device.is_up(9999)

    device.start()

    until(lambda: not device.is_watching(), "end")
    assert not is_rebooted(device)


def test_a_second_watcher_leaves_it_to_the_first(device: Device) -> None:
    device.start()
    device.waits()
    first, device.watcher = device.watcher, None

    device.start()

    until(lambda: not device.is_watching(), "end")
    device.watcher = first
    device.waits()


def test_a_watcher_that_was_killed_is_replaced(device: Device) -> None:
    device.start()
    device.waits()
    device.close()

    device.start()
    device.is_up(301)

    assert ends(device)


def test_its_defaults_are_those_of_the_agent(shell: tuple[str, ...]) -> None:
    assert f"$(setting commit deadline {CommitOptions().deadline:.0f})" in SCRIPT.read_text()
