# SPDX-License-Identifier: Apache-2.0
"""Hazards of what the bootloader is told: the next slot, a trial, the reason of a rollback."""

from collections.abc import Iterator, Mapping

from ota_agent.bootloader.contract import is_elsewhere, is_lost, is_trial, next_slot
from ota_agent.bootloader.u_boot import UBoot
from ota_agent.device.slots import Slot, Slots
from ota_agent.doctor.case import Case
from ota_agent.errors import EnvironmentFault
from ota_agent.trial.boot_log import meaning
from ota_artifact.contract import CANARY, GOOD, LIMIT, NUMBER, PART, PART_HEX, TRIAL, WHY
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.names import shown

_END = "`ota-agent commit` or `ota-agent rollback`"


def probe(case: Case) -> Iterator[Finding]:
    """What does not go together: the environment, what runs, and what the agent remembers."""
    if case.variables is None or case.slots is None:
        return
    if isinstance(case.bootloader, UBoot):
        yield from contract(case.variables)
    state = type(case.memory.state).__name__ if case.memory else ""
    yield from told(case.slots, case.running, case.variables, state)


def contract(variables: Mapping[str, str]) -> Iterator[Finding]:
    """What of U-Boot's variables breaks the contract."""
    if is_elsewhere(variables):
        yield fault(
            "canary-missing",
            CANARY,
            "U-Boot never saved what is read here: it cannot, or does so elsewhere",
            "compare ENV_OFFSET, ENV_SIZE and the device in U-Boot's final .config with"
            " fw_env.config",
        )
    limit = variables.get(LIMIT, "")
    if not NUMBER.fullmatch(limit) or not int(limit):
        yield fault(
            "no-bootlimit",
            LIMIT,
            f"it is {limit or 'not set'}: U-Boot has no limit, and a trial that dies is started"
            " forever",
            f"`fw_setenv {LIMIT} 1`",
        )
    number, text = variables.get(PART, ""), variables.get(PART_HEX, "")
    if NUMBER.fullmatch(number) and text.lower() != f"{int(number):x}":
        yield fault(
            "state-names-no-slot",
            PART_HEX,
            f"it is {shown(text)}, and {PART} {shown(number)}: U-Boot loads the kernel from one"
            " slot, which mounts the other one",
            f"`fw_setenv {PART_HEX} {int(number):x}`",
        )


def told(
    slots: Slots, running: Slot | None, variables: Mapping[str, str], state: str
) -> Iterator[Finding]:
    """What does not go together.

    Args:
        running: the slot that runs; None if that is not known.
        state: the agent's; empty if it remembers none.
    """
    try:
        next_ = next_slot(slots, variables)
    except EnvironmentFault as error:
        yield fault(
            "state-names-no-slot",
            PART,
            error,
            f"set it, and {PART_HEX}, to the slot that runs",
        )
        return
    is_tried = is_trial(variables)
    place = f"slot {next_.name}"
    if is_tried and state in ("", "Idle", "Syncing"):
        yield fault(
            "trial-of-nobody",
            place,
            "it is on trial, and the agent knows of no update: it ends with the next reboot",
            f"set {TRIAL} to 0 to keep it, with the tools of the bootloader; or reboot the device"
            " to roll it back",
        )
    elif is_tried and running is not None and running != next_:
        yield warning(
            "trial-waits-for-reboot",
            place,
            "it is tried at the next reboot; until then no other update can be installed",
            "reboot the device, or `ota-agent rollback`",
        )
    elif is_tried:
        yield warning("trial-under-way", place, "it runs on trial; a reboot rolls it back", _END)
    elif running is not None and running != next_:
        yield fault(
            "next-slot-not-running",
            place,
            f"slot {running.name} runs, and the bootloader would start slot {next_.name} next: no"
            " update can be installed, and the next reboot changes the system",
            "reboot the device, and see which slot it runs then",
        )
    yield from trusted(slots, running, variables, state)
    if why := variables.get(WHY):
        yield warning(
            "rolled-back",
            WHY,
            f"the bootloader went back last time: {why}{meaning(why)}",
            "see the log of the deployment; the next update clears this",
        )


def trusted(
    slots: Slots, running: Slot | None, variables: Mapping[str, str], state: str
) -> Iterator[Finding]:
    """What the bootloader may fall back to, and whether it knows what ran.

    Args:
        running: the slot that runs; None if that is not known.
        state: the agent's; empty if it remembers none.
    """
    if is_lost(variables):
        yield fault(
            "environment-lost",
            "environment",
            "the bootloader found no valid copy, and starts the slots in turn, one at each boot",
            "start the agent: it tells the bootloader to keep the slot that runs",
        )
        return
    if running is None or is_trial(variables) or state not in ("", "Idle", "Syncing"):
        return
    if variables.get(GOOD[running.name]) == "0":
        yield warning(
            "running-slot-not-good",
            f"slot {running.name}",
            f"{GOOD[running.name]} is 0, although it is committed: another program committed it,"
            " and the bootloader does not know that yet",
            "reboot the device: the bootloader then sets it",
        )
