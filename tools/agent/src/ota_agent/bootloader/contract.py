# SPDX-License-Identifier: Apache-2.0
"""The contract with the bootloader: what its variables say together; pure."""

from collections.abc import Mapping

from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault
from ota_agent.lifecycle.events import Trial
from ota_artifact.contract import CANARY, CHECKED, LOST, PART, TRIAL, WHY
from ota_artifact.names import shown

END = "ota_end"
"""Why Linux ended the last trial, also when /data could not be written; ours."""


def is_trial(environment: Mapping[str, str]) -> bool:
    """Whether the slot that is started next is on trial."""
    return environment.get(TRIAL) == "1"


def is_lost(environment: Mapping[str, str]) -> bool:
    """Whether the bootloader had lost its state, and no agent has said yet what runs."""
    return bool(environment.get(LOST))


def is_elsewhere(environment: Mapping[str, str]) -> bool:
    """Whether U-Boot never saved what Linux reads: it cannot, or uses another environment."""
    return environment.get(CHECKED) == "1" and environment.get(CANARY) != "1"


def next_slot(slots: Slots, environment: Mapping[str, str]) -> Slot:
    """The slot that the bootloader starts next.

    Raises:
        EnvironmentFault: the environment names neither.
    """
    number = environment.get(PART, "")
    for slot in (slots.a, slots.b):
        if number == str(slot.number):
            return slot
    raise EnvironmentFault(
        f"{PART} is {shown(number)}, and the slots are {slots.a.number} and {slots.b.number};"
        " set it to the one that runs"
    )


def trial_of(slots: Slots, running: Slot, target: str, environment: Mapping[str, str]) -> Trial:
    """How the trial of a slot went, by what runs and what the bootloader says.

    Args:
        target: the slot that was to be tried, A or B.
    """
    if running.name == target:
        return "running" if is_trial(environment) or is_lost(environment) else "committed"
    is_back = not is_trial(environment) and next_slot(slots, environment) == running
    return "rolled-back" if is_back and environment.get(WHY) else "none"
