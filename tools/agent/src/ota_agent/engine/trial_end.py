# SPDX-License-Identifier: Apache-2.0
"""Ends a trial that does not continue: the device reboots, and the bootloader goes back."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.bootloader.last_resort import PATIENCE
from ota_agent.device.reboot import reboot
from ota_agent.engine.agent import Agent
from ota_agent.errors import AgentError
from ota_agent.memory.bootstrap import look
from ota_agent.trial import boot_log
from ota_agent.trial.claim import Claim
from ota_artifact.errors import ProgramError

logger = logging.getLogger(__name__)

_GONE = 600.0  # [s] for the device to go down after the command. Source: Mender's client
AGAIN = 60.0
"""Until the next look, or the next attempt [s]."""

STRAY = "stray trial"
"""What the warning of a trial is about that no update began."""


@dataclass(slots=True, kw_only=True)
class TrialEnd:
    """Looks whether the trial that runs continues.

    Attributes:
        clock: the time since the boot [s].
        due: when a trial that no update began is ended; None: there is none.
        stuck_since: since when the update on trial cannot continue; None: it can.
    """

    agent: Agent
    clock: Callable[[], float]
    due: float | None = None
    stuck_since: float | None = None

    def watch_stray(self) -> None:
        """Say it if what runs is on trial, and no update began that; it ends after a while."""
        if self.agent.stray.must_stay():
            logger.warning("the slot that does not run is not good: a rollback would end there")
            try:
                self.agent.end_stray("commit")
            except AgentError as error:
                logger.error("%s", error)
        finding = self.agent.stray.finding()
        self.agent.warnings.put(STRAY, finding)
        self.due = max(PATIENCE, self.clock() + AGAIN) if finding else None
        if self.due is not None:
            logger.warning("%s; it does in %.0f s", finding, self.due - self.clock())

    def end_stray(self) -> None:
        """End it if it is time, unless a user has ended it already; called in each round."""
        self.agent.deployments.controls.beat()
        if self.due is None or self.clock() < self.due:
            return
        self.due = None
        if self.agent.stray.slot() is not None:
            self.due = self.clock() + AGAIN  # if the device does not go down
            self._reboot("no update is known that began it")

    def note_progress(self) -> None:
        """Some work on the update was done."""
        self.stuck_since = None

    def note_stuck(self, why: str) -> None:
        """The update cannot continue, as on a full disk; a trial ends if that lasts."""
        Claim(self.agent.settings.device.claim).drop()
        now, update, boot = self.clock(), self.agent.update, self.agent.stray.boot
        if self.stuck_since is None:
            self.stuck_since = now
        if now - self.stuck_since < PATIENCE or update is None or boot is None:
            return
        if look(boot).is_trial and boot.running().name == update.target:
            self._reboot(f"the update cannot continue: {why}")

    def _reboot(self, why: str) -> None:
        settings, boot = self.agent.settings, self.agent.stray.boot
        logger.error("trial: %s: rebooting, to roll back", why)
        boot_log.note_end(settings.boot_log, settings.device.boot_id, why)
        try:
            if boot is not None:
                boot.use_up(why)
        except (AgentError, ProgramError) as error:
            logger.warning("%s: a trial that has waited is booted once more", error)
        try:
            reboot(settings.device, timeout=_GONE)
            time.sleep(_GONE)
        except (AgentError, ProgramError) as error:
            logger.error("%s", error)
