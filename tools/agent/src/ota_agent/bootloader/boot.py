# SPDX-License-Identifier: Apache-2.0
"""What the device boots, and how the bootloader is told what to boot next."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.bootloader import Bootloader
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault

_TRIAL, _COUNT, _WHY = "upgrade_available", "bootcount", "ota_rollback"
_PART, _PART_HEX = "mender_boot_part", "mender_boot_part_hex"


@dataclass(frozen=True, slots=True)
class Boot:
    """What the device boots, and from where.

    Attributes:
        slots: both of them.
        running: gives the one that runs.
        bootloader: its environment.
    """

    slots: Slots
    running: Callable[[], Slot]
    bootloader: Bootloader

    def target(self) -> Slot:
        """The slot that an update is written to, once it is sure that one can be tried.

        Raises:
            EnvironmentFault: the environment cannot be trusted, or a trial is under way.
            AgentError: it is not known which slot runs.
        """
        if findings := self.bootloader.findings():
            raise EnvironmentFault("; ".join(findings))
        running, environment = self.running(), self.bootloader.read()
        next_ = self.slots.next(environment)
        if environment.get(_TRIAL) == "1":
            raise EnvironmentFault(
                f"slot {next_.name} is on trial, and not by this update; commit it or roll it back"
                " first (ota-agent commit, ota-agent rollback)"
            )
        if next_ != running:
            raise EnvironmentFault(
                f"slot {running.name} runs, and the bootloader would start slot {next_.name} next;"
                " reboot the device first"
            )
        return self.slots.other(running)

    def try_next(self, slot: Slot) -> None:
        """Have the bootloader try a slot at the next boot, once.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self._set(slot, is_trial=True)

    def keep(self, slot: Slot) -> None:
        """Have the bootloader start a slot from now on.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self._set(slot, is_trial=False)

    def rearm(self) -> None:
        """Let a trial be booted once more: it is healthy, and waits.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self.bootloader.write({_COUNT: "0"})

    def why(self) -> str:
        """Why the bootloader went back to the old slot; empty if it does not say."""
        return self.bootloader.read().get(_WHY, "")

    def _set(self, slot: Slot, *, is_trial: bool) -> None:
        environment = self.bootloader.read()
        wanted = {_PART: str(slot.number), _TRIAL: str(int(is_trial)), _COUNT: "0", _WHY: ""}
        if _PART_HEX in environment:  # GRUB has none
            wanted[_PART_HEX] = f"{slot.number:x}"
        self.bootloader.write(wanted, is_final=not is_trial)
