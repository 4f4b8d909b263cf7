# SPDX-License-Identifier: Apache-2.0
"""Tells everybody of each state: the log, the status, the deployment's log, and what waits."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.api.status import LiveStatus, of_update
from ota_agent.bootloader.boot import Boot
from ota_agent.config.settings import Settings
from ota_agent.device.clock import floor
from ota_agent.engine.floor import FloorKeeper
from ota_agent.engine.warnings import Warnings
from ota_agent.errors import AgentError
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.update import Update
from ota_agent.memory.bootstrap import look
from ota_agent.memory.correct import correct
from ota_agent.memory.store import Store
from ota_agent.memory.trusted_time import note_time
from ota_agent.server.deployments import Deployments
from ota_agent.trial import boot_log
from ota_agent.trial.claim import Claim
from ota_artifact.errors import ProgramError
from ota_artifact.provides import NAME

logger = logging.getLogger(__name__)

_RUNS = "what runs"
_RENEWED = 3600.0  # [s] much less than a claim lasts


@dataclass(slots=True, kw_only=True)
class StateObserver:
    """Told of each state by the `Runtime`.

    Attributes:
        boot: None if this device has no slots.
        last: the update under way, or None.
        claimed_at: when the claim on the trial was renewed last; None: there is none.
    """

    settings: Settings
    store: Store
    live: LiveStatus
    deployments: Deployments
    boot: Boot | None
    floor: FloorKeeper
    warnings: Warnings
    last: Update | None = None
    clock: Callable[[], float] = time.monotonic
    claimed_at: float | None = None

    def observe(self, state: s.State) -> None:
        """Tell of a state."""
        changes: dict[str, object] = {"state": type(state).__name__, "rate": 0.0}
        if isinstance(state, s.UnderWay):
            self.last = update = state.update
            if update.deployment:
                self.deployments.log.open(update.deployment)
            changes |= of_update(state)
        self._claim(state)
        level = logging.INFO if isinstance(state, s.UnderWay) else logging.DEBUG
        logger.log(level, "state %s", state.mender_name)
        if isinstance(state, s.Reporting):
            self.deployments.note_end(state.update)
        if isinstance(state, s.Committed):
            boot_log.stop(self.settings.boot_log)  # the trial is over
        if isinstance(state, s.Idle):
            changes |= self._end()
        self.live.change(**changes)

    def _claim(self, state: s.State) -> None:
        """Say whether the agent is at work on the trial that runs. See `Claim`."""
        claim = Claim(self.settings.device.claim)
        target = state.update.target if isinstance(state, s.UnderWay) else ""
        try:
            boot = self.boot
            is_at_work = boot is not None and boot.running().name == target
        except AgentError:
            is_at_work = False
        if is_at_work:
            claim.hold()
            self.claimed_at = self.clock()
        else:
            claim.drop()
            self.claimed_at = None

    def claim_again(self) -> None:
        """Renew the claim, if it is old; to be called wherever the agent may wait."""
        claim = Claim(self.settings.device.claim)
        if self.claimed_at is None or self.clock() - self.claimed_at < _RENEWED:
            return
        if claim.path.exists():  # else it was dropped, since the update cannot continue
            claim.hold()
        self.claimed_at = self.clock()

    def settle(self) -> None:
        """Have the bootloader keep what runs, if it had lost its state."""
        try:
            wrong = self.boot.settle() if self.boot else ""
        except (AgentError, ProgramError) as error:
            logger.warning("%s", error)
            return
        if wrong:
            logger.warning("the bootloader's environment is repaired: %s", wrong)

    def correct(self, state: s.State) -> None:
        """Have the memory hold what runs, and the status say what is odd about that."""
        now = look(self.boot)
        self.warnings.put(_RUNS, correct(self.store, state, now))
        if isinstance(state, s.Idle | s.Syncing | s.Cleaning | s.Reporting):
            self.live.change(floor=self.floor.settle(now))
            if self.settings.keys.is_any_limited and now.is_trial is False:
                note_time(self.store, floor())  # of a release that is committed

    def _end(self) -> dict[str, object]:
        """Nothing is under way now; gives what that changes in the status."""
        self.deployments.log.close()
        self.deployments.hurry.clear()
        self.deployments.controls.clear()
        changes: dict[str, object] = {"deployment": "", "source": "", "slot": "", "note": ""}
        changes |= {"size": 0, "done": 0}
        if self.last is not None:
            self.settle()
            self.correct(s.Idle())
            ended, self.last = self.last, None
            changes |= {"result": "failure" if ended.reason else "success", "reason": ended.reason}
            changes |= {"is_consistent": not ended.reason or ended.is_consistent}
            changes |= {"updates": self.live.get().updates + 1, "wants_reboot": False}
        return changes | {"installed": self.store.provides.get(NAME, "")}
