# SPDX-License-Identifier: Apache-2.0
"""What the bootloader is told, compared with what runs and what the agent remembers."""

from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.device.slots import Slot, Slots
from ota_agent.doctor.trial import contract, told
from ota_agent.lifecycle.states import Trying
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.store import Store
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.agent.doctor.patient import patient
from tests.unit.agent.scratch import FACTORY

A, B = Slot("A", Path("/dev/a2"), 2), Slot("B", Path("/dev/a3"), 3)
SLOTS = Slots(A, B)


@pytest.mark.parametrize(
    ("running", "changes", "state", "hazards"),
    [
        (A, {}, "Idle", []),
        (A, {}, "", []),
        (None, {}, "Idle", []),
        (B, {}, "Idle", ["next-slot-not-running"]),
        (A, {"mender_boot_part": "7"}, "Idle", ["state-names-no-slot"]),
        (A, {"upgrade_available": "1"}, "Idle", ["trial-of-nobody"]),
        (A, {"upgrade_available": "1"}, "Trying", ["trial-under-way"]),
        (B, {"upgrade_available": "1"}, "Installed", ["trial-waits-for-reboot"]),
        (A, {"ota_rollback": "count 3"}, "Idle", ["rolled-back"]),
        (A, {"ota_good_a": "1", "ota_good_b": "0"}, "Idle", []),
        (A, {"ota_good_a": "0"}, "Idle", ["running-slot-not-good"]),
        (A, {"ota_good_a": "0", "upgrade_available": "1"}, "Trying", ["trial-under-way"]),
        (A, {"ota_lost": "2", "ota_rollback": "lost 2"}, "", ["environment-lost", "rolled-back"]),
    ],
)
def test_what_does_not_go_together(
    running: Slot | None, changes: dict[str, str], state: str, hazards: list[str]
) -> None:
    found = list(told(SLOTS, running, {**FACTORY, **changes}, state))

    assert [each.hazard for each in found] == hazards


@pytest.mark.parametrize(
    ("changes", "hazards"),
    [
        ({}, []),
        ({"mender_saveenv_canary": ""}, ["canary-missing"]),
        ({"mender_saveenv_canary": "", "mender_check_saveenv_canary": "0"}, []),
        *(({"bootlimit": each}, ["no-bootlimit"]) for each in ("0", "", "-1", "abc", "9" * 9999)),
        ({"mender_boot_part": "9" * 9999, "mender_boot_part_hex": "x"}, []),
        ({"mender_boot_part_hex": "3"}, ["state-names-no-slot"]),
        ({"mender_boot_part": "10", "mender_boot_part_hex": "A"}, []),
    ],
)
def test_what_breaks_the_contract(changes: dict[str, str], hazards: list[str]) -> None:
    assert [each.hazard for each in contract({**FACTORY, **changes})] == hazards


@requires_program("fw_setenv", package="libubootenv-tool")
def test_a_trial_on_the_device_is_known_by_the_agents_memory(tmp_path: Path) -> None:
    device = patient(tmp_path)
    words = ("fw_setenv", "-c", device.folder / "fw_env.config", "upgrade_available", "1")
    run(words, timeout=10)
    assert "trial-of-nobody" in device.hazards()

    store = Store(device.folder / "data" / "state.db")
    store.save(
        Trying(
            Update(
                source=Address("/v2.mender"),
                deployment="",
                artifact=Artifact(name="v2"),
                target="A",
            )
        ),
        "boot",
    )
    store.close()
    assert device.hazards()["trial-under-way"].severity == "warning"
