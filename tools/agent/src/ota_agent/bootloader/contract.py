# SPDX-License-Identifier: Apache-2.0
"""The contract with the bootloader: its variables by name, and what they say together; pure.

The names are Mender's, but for the last two. Source: Mender's documentation, "Integrating with
U-Boot"; docs/design/boot-logic.md.
"""

from collections.abc import Mapping

from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault
from ota_agent.lifecycle.events import Trial

PART, PART_HEX = "mender_boot_part", "mender_boot_part_hex"
"""The partition that is started next; GRUB has it in decimal alone."""

TRIAL = "upgrade_available"
"""1: that partition is on trial."""

COUNT, LIMIT = "bootcount", "bootlimit"
"""How often a trial was booted, and how often it may be."""

CHECKED, CANARY = "mender_check_saveenv_canary", "mender_saveenv_canary"
"""1 and 1: U-Boot has saved its environment where Linux reads it."""

WHY = "ota_rollback"
"""Why the bootloader went back to the other slot; ours."""

END = "ota_end"
"""Why Linux ended the last trial, also when /data could not be written; ours."""


def is_trial(environment: Mapping[str, str]) -> bool:
    """Whether the slot that is started next is on trial."""
    return environment.get(TRIAL) == "1"


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
        f"{PART} is {number!r}, and the slots are {slots.a.number} and {slots.b.number}; set it to"
        " the one that runs"
    )


def trial_of(slots: Slots, running: Slot, target: str, environment: Mapping[str, str]) -> Trial:
    """How the trial of a slot went, by what runs and what the bootloader says.

    Args:
        target: the slot that was to be tried, A or B.
    """
    if running.name == target:
        return "running" if is_trial(environment) else "committed"
    is_back = not is_trial(environment) and next_slot(slots, environment) == running
    return "rolled-back" if is_back and environment.get(WHY) else "none"
