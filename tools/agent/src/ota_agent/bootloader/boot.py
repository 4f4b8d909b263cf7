# SPDX-License-Identifier: Apache-2.0
"""What the device boots, and how the bootloader is told what to boot next."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.contract import (
    COUNT,
    END,
    PART,
    PART_HEX,
    TRIAL,
    WHY,
    is_trial,
    next_slot,
)
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault

_LONGEST = 200  # characters of a reason; GRUB's environment has 1024 B in all


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
        next_ = next_slot(self.slots, environment)
        if is_trial(environment):
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
        self._set(slot, tries=True)

    def keep(self, slot: Slot) -> None:
        """Have the bootloader start a slot from now on.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self._set(slot, tries=False)

    def rearm(self) -> None:
        """Let a trial be booted once more: it is healthy, and waits.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self.bootloader.write({COUNT: "0"})

    def use_up(self, why: str) -> None:
        """Have the next boot end a trial, whatever it was given before, and keep the reason.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self.bootloader.write({COUNT: "1", END: " ".join(why.split())[:_LONGEST]})

    def why(self) -> str:
        """Why the bootloader went back to the old slot; empty if it does not say."""
        return self.bootloader.read().get(WHY, "")

    def ended(self) -> str:
        """Why Linux ended the last trial; empty if it does not say."""
        return self.bootloader.read().get(END, "")

    def _set(self, slot: Slot, *, tries: bool) -> None:
        environment = self.bootloader.read()
        wanted = {PART: str(slot.number), TRIAL: str(int(tries)), COUNT: "0", WHY: ""}
        if PART_HEX in environment:  # GRUB has none
            wanted[PART_HEX] = f"{slot.number:x}"
        if END in environment:
            wanted[END] = ""
        self.bootloader.write(wanted, is_final=not tries)
