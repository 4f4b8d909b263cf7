# SPDX-License-Identifier: Apache-2.0
"""Hazards of what the bootloader is told: the next slot, a trial, the reason of a rollback."""

from collections.abc import Iterator, Mapping

from ota_agent.bootloader.u_boot import UBoot
from ota_agent.device.slots import Slot, Slots
from ota_agent.doctor.case import Case
from ota_agent.doctor.finding import Finding, warning
from ota_agent.errors import EnvironmentFault
from ota_agent.trial.boot_log import meaning

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
    if (
        variables.get("mender_check_saveenv_canary") == "1"
        and variables.get("mender_saveenv_canary") != "1"
    ):
        yield Finding(
            hazard="canary-missing",
            place="mender_saveenv_canary",
            cause="U-Boot never saved what is read here: it cannot, or does so elsewhere",
            remedy="compare ENV_OFFSET, ENV_SIZE and the device in U-Boot's final .config with"
            " fw_env.config",
        )
    if variables.get("bootlimit", "1") == "0":
        yield Finding(
            hazard="no-bootlimit",
            place="bootlimit",
            cause="it is 0: U-Boot counts no boots, and a trial that dies is started for ever",
            remedy="`fw_setenv bootlimit 1`",
        )
    number, text = variables.get("mender_boot_part", ""), variables.get("mender_boot_part_hex", "")
    if number.isdecimal() and text.lower() != f"{int(number):x}":
        yield Finding(
            hazard="state-names-no-slot",
            place="mender_boot_part_hex",
            cause=f"it is {text!r}, and mender_boot_part {number!r}: U-Boot loads the kernel"
            " from one"
            " slot, which mounts the other one",
            remedy=f"`fw_setenv mender_boot_part_hex {int(number):x}`",
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
        next_ = slots.next(variables)
    except EnvironmentFault as error:
        yield Finding(
            hazard="state-names-no-slot",
            place="mender_boot_part",
            cause=str(error),
            remedy="set it, and mender_boot_part_hex, to the slot that runs",
        )
        return
    is_trial = variables.get("upgrade_available") == "1"
    place = f"slot {next_.name}"
    if is_trial and state in ("", "Idle", "Syncing"):
        yield Finding(
            hazard="trial-of-nobody",
            place=place,
            cause="it is on trial, and the agent knows of no update: it ends with the next restart",
            remedy="set upgrade_available to 0 to keep it, with the tools of the bootloader; or"
            " restart"
            " the device to take it back",
        )
    elif is_trial and running is not None and running != next_:
        yield warning(
            "trial-waits-for-restart",
            place,
            "it is tried at the next restart; until then no other update can be installed",
            "restart the device, or `ota-agent rollback`",
        )
    elif is_trial:
        yield warning("trial-under-way", place, "it runs on trial; a restart takes it back", _END)
    elif running is not None and running != next_:
        yield Finding(
            hazard="next-slot-not-running",
            place=place,
            cause=f"slot {running.name} runs, and the bootloader would start slot {next_.name}"
            " next: no"
            " update can be installed, and the next restart changes the system",
            remedy="restart the device, and see which slot it runs then",
        )
    if why := variables.get("ota_rollback"):
        yield warning(
            "rolled-back",
            "ota_rollback",
            f"the bootloader went back last time: {why}{meaning(why)}",
            "see the log of the deployment; the next update clears this",
        )
