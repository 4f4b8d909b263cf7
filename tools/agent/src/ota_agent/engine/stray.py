# SPDX-License-Identifier: Apache-2.0
"""A trial that no update of this agent began: its memory was lost, or another program began it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ota_agent.bootloader.boot import Boot
from ota_agent.device.slots import Slot
from ota_agent.errors import NOTHING, AgentError, NothingInProgress
from ota_agent.lifecycle import states as s
from ota_agent.memory.bootstrap import look
from ota_artifact.errors import ProgramError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StrayTrial:
    """Looks whether there is one, and ends it as a user wants.

    Attributes:
        boot: None if this device has no slots.
        state: gives what the agent is at.
    """

    boot: Boot | None
    state: Callable[[], s.State]

    def slot(self) -> Slot | None:
        """The slot that runs on trial without an update; None if there is none."""
        boot = self.boot
        if boot is None or look(boot).is_trial is not True:
            return None
        state, running = self.state(), boot.running()
        is_known = isinstance(state, s.UnderWay) and state.update.target == running.name
        return None if is_known else running

    def finding(self) -> str:
        """What a user has to know of it; empty if there is none."""
        slot = self.slot()
        if slot is None:
            return ""
        return (
            f"slot {slot.name} runs on trial, and no update is known that began it: a reboot rolls"
            " it back, and so does the agent; `ota-agent commit` keeps it"
        )

    def must_stay(self) -> bool:
        """Whether there is one, and the other slot is known not to be good.

        A user has set the trial of a slot that ran already, such as by hand to try the
        bootloader: the next boot would start the other slot for good, and that may be empty.
        """
        return self.slot() is not None and not self._has_way_back()

    def _has_way_back(self) -> bool:
        try:
            return self.boot is None or self.boot.has_way_back()
        except (AgentError, ProgramError):
            return True

    def end(self, how: Literal["commit", "rollback"]) -> bool:
        """Keep what runs, or have the next boot start the other slot; gives whether that is it.

        Raises:
            NothingInProgress: there is no such trial.
            AgentError: the bootloader could not be told.
        """
        slot, boot = self.slot(), self.boot
        if slot is None or boot is None:
            raise NothingInProgress(NOTHING)
        kept = slot if how == "commit" else boot.slots.other(slot)
        if kept != slot and not self._has_way_back():
            raise AgentError(
                f"slot {kept.name} is not good, and would not be started: there is nothing to go"
                " back to; `ota-agent commit` keeps what runs"
            )
        try:
            boot.keep(slot) if how == "commit" else boot.go_back(kept)
        except ProgramError as error:
            raise AgentError(f"the trial of slot {slot.name} continues: {error}") from error
        text = "slot %s is kept; slot %s was on trial, and no update is known that began it"
        logger.warning(text, kept.name, slot.name)
        return kept != slot
