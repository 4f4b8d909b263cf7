# SPDX-License-Identifier: Apache-2.0
"""The script that ends a trial that nobody decides on, in each shell that a device may have."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.trial.claim import Claim
from ota_agent.trial.health import CommitOptions
from tests.unit.agent.system.test_boot_log_script import SHELLS
from tests.unit.agent.system.watched import PAUSE, SCRIPT, Device, until

pytestmark = [
    pytest.mark.boot,  # a script that sleeps between its looks
    pytest.mark.parametrize("shell", SHELLS),
]


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
