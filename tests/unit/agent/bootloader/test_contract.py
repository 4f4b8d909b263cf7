# SPDX-License-Identifier: Apache-2.0
"""What the bootloader's variables say: which slot comes next, and how a trial went."""

from pathlib import Path

import pytest

from ota_agent.bootloader.contract import is_elsewhere, next_slot, trial_of
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault

A = Slot("A", Path("/dev/mmcblk0p2"), 2)
B = Slot("B", Path("/dev/mmcblk0p3"), 3)
SLOTS = Slots(A, B)


def test_the_bootloader_names_what_comes_next() -> None:
    assert next_slot(SLOTS, {"mender_boot_part": "3"}) == B


@pytest.mark.parametrize("number", ["", "4", "03", "B"])
def test_a_bootloader_that_names_neither_is_at_fault(number: str) -> None:
    with pytest.raises(EnvironmentFault, match="the slots are 2 and 3"):
        next_slot(SLOTS, {"mender_boot_part": number})


@pytest.mark.parametrize(
    ("running", "number", "available", "why", "trial"),
    [
        (A, "2", "0", "", "none"),
        (A, "3", "1", "", "none"),
        (B, "3", "1", "", "running"),
        (B, "3", "0", "", "committed"),
        (A, "2", "0", "count 3", "rolled-back"),
        (A, "2", "0", "load 3", "rolled-back"),
    ],
)
def test_how_a_trial_of_b_went(
    running: Slot, number: str, available: str, why: str, trial: str
) -> None:
    environment = {
        "mender_boot_part": number,
        "upgrade_available": available,
        **({"ota_rollback": why} if why else {}),
    }

    assert trial_of(SLOTS, running, "B", environment) == trial


@pytest.mark.parametrize(
    ("checked", "canary", "expected"),
    [("1", "", True), ("1", "0", True), ("1", "1", False), ("", "", False), ("0", "", False)],
)
def test_without_the_canary_u_boot_saves_elsewhere(
    checked: str, canary: str, expected: bool
) -> None:
    environment = {"mender_check_saveenv_canary": checked, "mender_saveenv_canary": canary}

    assert is_elsewhere(environment) is expected
