# SPDX-License-Identifier: Apache-2.0
"""What the device boots, and how the bootloader is told what to boot next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.contract import END, is_lost, is_trial, next_slot
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import AgentError, EnvironmentFault
from ota_artifact.contract import COUNT, FLOOR, GOOD, LIMIT, LOST, PART, PART_HEX, TRIAL, WHY
from ota_artifact.errors import ProgramError

_LIMITS = tuple("123456789")
"""Of trial boots, as the boot logic takes it: without a limit, U-Boot counts without end."""

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
        self.settle()
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

    def settle(self) -> str:
        """Have the bootloader keep the slot that runs, if it had lost its state.

        A copy that is damaged or out of date is written again. Gives what was wrong, or nothing.

        Raises:
            EnvironmentFault, ProgramError: it cannot be repaired from here.
            AgentError: it is not known which slot runs.
        """
        try:
            environment = self.bootloader.read()
        except EnvironmentFault as error:
            running = self.running()
            kept = self._kept(running) | {LIMIT: "1", WHY: f"lost {running.number}"}
            if not self.bootloader.restore(kept):
                raise
            return str(error)
        if is_lost(environment):
            running = self.running()
            self._keep(running, environment, self._kept(running) | {LOST: ""})
            return environment.get(WHY, "lost")
        try:
            slot = next_slot(self.slots, environment)
        except EnvironmentFault as error:
            self._keep(self.running(), environment, {})
            return str(error)
        if self.bootloader.is_whole():
            return ""
        self._keep(slot, environment, {})
        return "a copy of it was damaged or out of date"

    def _keep(self, slot: Slot, environment: Mapping[str, str], more: Mapping[str, str]) -> None:
        """Name a slot in both copies."""
        wanted = {PART: str(slot.number), **more}
        if PART_HEX in environment:  # GRUB has none
            wanted[PART_HEX] = f"{slot.number:x}"
        self.bootloader.write(wanted, is_final=True)

    def _kept(self, slot: Slot) -> dict[str, str]:
        """The state of a device that runs a slot; nothing is known of the other one."""
        return {PART: str(slot.number), TRIAL: "0", COUNT: "0", GOOD[slot.name]: "1"}

    def distrust(self, slot: Slot) -> None:
        """Have the bootloader not fall back to the passive slot; both copies say so afterwards.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        running = self.slots.other(slot)
        wanted = {GOOD[slot.name]: "0", GOOD[running.name]: "1", LOST: ""}
        found = self.bootloader.read()
        if any(found.get(name, "") != value for name, value in wanted.items()):
            self.bootloader.write(wanted, is_final=True)

    def is_passive(self, slot: Slot) -> bool:
        """Whether the other slot runs, and the bootloader is told to start that one.

        Raises:
            EnvironmentFault, ProgramError: it does not say.
            AgentError: it is not known which slot runs.
        """
        environment, running = self.bootloader.read(), self.running()
        is_next = next_slot(self.slots, environment) == running
        return is_next and running != slot and not is_trial(environment)

    def try_next(self, slot: Slot) -> None:
        """Have the bootloader try a slot at the next boot, once.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self._set(slot, {TRIAL: "1"}, is_final=False)

    def keep(self, slot: Slot) -> None:
        """Have the bootloader start a slot from now on: it is good.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
        """
        self._set(slot, {TRIAL: "0", GOOD[slot.name]: "1"}, is_final=True)

    def go_back(self, slot: Slot) -> None:
        """Have the bootloader start a slot from now on: the other one has failed.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
            AgentError: that slot is known not to be good, as one below the floor is.
        """
        if slot != self.running() and not self.has_way_back():
            raise AgentError(
                f"slot {slot.name} is not good, and is not started: there is nothing to go back to"
            )
        failed = GOOD[self.slots.other(slot).name]
        self._set(slot, {TRIAL: "0", GOOD[slot.name]: "1", failed: "0"}, is_final=True)

    def raise_floor(self, text: str, *, is_only_way: bool) -> None:
        """Have the environment hold the floor; both copies do afterwards.

        Args:
            text: of the variable.
            is_only_way: the slot that does not run is below the floor, and is never started again.

        Raises:
            EnvironmentFault, ProgramError: it could not be told.
            AgentError: it is not known which slot runs.
        """
        environment = self.bootloader.read()
        wanted = {FLOOR: text}
        if is_only_way:
            wanted[GOOD[self.slots.other(self.running()).name]] = "0"
        changes = {name: each for name, each in wanted.items() if environment.get(name, "") != each}
        if not changes:
            return
        try:
            self.bootloader.write(changes, is_final=True)
        except (EnvironmentFault, ProgramError):  # there may be no room for the floor
            if FLOOR in changes and (marks := {k: v for k, v in changes.items() if k != FLOOR}):
                self.bootloader.write(marks, is_final=True)
            raise

    def floor(self) -> str:
        """The floor, as the environment has it.

        Raises:
            EnvironmentFault, ProgramError: it cannot be read.
        """
        return self.bootloader.read().get(FLOOR, "")

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
        used = {COUNT: "1"}
        text = " ".join(why.encode("ascii", "replace").decode("ascii").split())[:_LONGEST]
        try:
            self.bootloader.write({**used, END: text})
        except (EnvironmentFault, ProgramError):  # there may be no room for the reason
            self.bootloader.write(used)

    def has_way_back(self) -> bool:
        """Whether the slot that does not run may be started; False: it is known not to be good.

        Raises:
            EnvironmentFault, ProgramError: the environment does not say.
            AgentError: it is not known which slot runs.
        """
        other = self.slots.other(self.running())
        return self.bootloader.read().get(GOOD[other.name]) != "0"

    def why(self) -> str:
        """Why the bootloader went back to the old slot; empty if it does not say."""
        return self.bootloader.read().get(WHY, "")

    def ended(self) -> str:
        """Why Linux ended the last trial; empty if it does not say."""
        return self.bootloader.read().get(END, "")

    def _set(self, slot: Slot, changes: Mapping[str, str], *, is_final: bool) -> None:
        wanted = {PART: str(slot.number), COUNT: "0", WHY: "", LOST: "", **changes}
        environment = self.bootloader.read()
        if END in environment:
            wanted[END] = ""
        if PART_HEX in environment:  # GRUB has none, and needs no limit
            wanted[PART_HEX] = f"{slot.number:x}"
            if environment.get(LIMIT, "") not in _LIMITS:
                wanted[LIMIT] = "1"
        self.bootloader.write(wanted, is_final=is_final)
