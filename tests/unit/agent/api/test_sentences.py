# SPDX-License-Identifier: Apache-2.0
"""What a user reads of the status."""

import time
from typing import get_args

import pytest

from ota_agent.api.sentences import _SAYS, headline, lines
from ota_agent.api.status import Status
from ota_agent.lifecycle.states import State

DOWNLOADING = Status(
    state="Downloading",
    source="https://server/v2.mender",
    slot="B",
    size=27_000_000,
    done=12_300_000,
    rate=3.1e6,
    note="resumed at 8.0 MB",
    installed="v1",
    running_slot="A",
    deployment="d1",
)


def test_every_state_has_its_sentence() -> None:
    assert {each.__name__ for each in get_args(State)} == _SAYS.keys()


def test_a_download_says_what_where_and_how_far() -> None:
    assert list(lines(DOWNLOADING)) == [
        "Downloading: https://server/v2.mender to slot B: 12.3 MB of 27.0 MB, 45 %, 3.1 MB/s;"
        " resumed at 8.0 MB",
        "The device runs v1, slot A; deployment d1",
    ]


def test_a_trial_says_what_runs_and_what_it_can_return_to() -> None:
    trial = Status(state="Proven", artifact="v2", slot="B", running_slot="B", installed="v1")

    assert list(lines(trial))[1] == (
        "The device runs v2 on trial, slot B; until it is committed, the device can return to v1"
    )


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Status(), "No update is under way"),
        (Status(result="success"), "No update is under way; the last one succeeded"),
        (
            Status(result="failure", reason="slot B: no space"),
            "No update is under way; the last one failed: slot B: no space",
        ),
        (
            Status(
                state="Rebooting", artifact="v2", waits_for="ArtifactReboot", paused_by="device"
            ),
            "v2: paused before ArtifactReboot by a user of the device",
        ),
        (
            Status(state="Installing", artifact="v2", slot="B", doing="ArtifactInstall_Enter_00"),
            "Installing: v2 to slot B (ArtifactInstall_Enter_00)",
        ),
        (
            Status(state="RollingBack", artifact="v2", reason="health check net: no route"),
            "Rolling back: v2: health check net: no route",
        ),
        (Status(state="Downloading", source="/a", done=5_000_000), "Downloading: /a: 5.0 MB"),
        (
            Status(state="Installed", artifact="v2", wants_reboot=True),
            "Installed: reboot the device, then commit it; or roll it back: v2",
        ),
        (
            Status(state="Installed", artifact="v2"),
            "Installed: commit it, or roll it back: v2",
        ),
        (Status(state="Dreaming", artifact="v2"), "Dreaming: v2"),
    ],
)
def test_the_first_line_says_what_happens(status: Status, says: str) -> None:
    assert headline(status) == says


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Status(next_poll=59.0), "It asks the server at 00:00:59"),
        (
            Status(next_poll=59.0, window="22:00-05:00"),
            "It asks the server at 00:00:59; it installs 22:00-05:00",
        ),
        (Status(window="22:00-05:00"), "It installs 22:00-05:00"),
        (Status(next_poll=59.0, is_enabled=False), "Updates are switched off"),
    ],
)
def test_without_an_update_it_says_what_comes(status: Status, says: str) -> None:
    assert list(lines(status, time.gmtime))[2:] == [says]


def test_the_bootloader_is_named() -> None:
    status = Status(bootloader="is U-Boot 2025.01, with boot logic 1")

    assert "The bootloader is U-Boot 2025.01, with boot logic 1" in lines(status, time.gmtime)


def test_what_happened_to_data_is_told_whatever_happens() -> None:
    said = "/data is in memory, and what is written there is lost at the next boot: why"

    assert said in lines(Status(data=said), time.gmtime)
    assert said in lines(Status(state="Trying", data=said), time.gmtime)
