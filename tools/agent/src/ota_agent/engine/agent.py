# SPDX-License-Identifier: Apache-2.0
"""The agent put together: one state, those who move it on, and those who look at it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.api.status import Bulletin
from ota_agent.control.controls import Controls
from ota_agent.engine.runtime import Runtime
from ota_agent.errors import AgentError, NothingInProgress
from ota_agent.lifecycle.events import CommitAsked, Event, Failed, Offered, RollbackAsked
from ota_agent.lifecycle.states import (
    Cleaning,
    Committed,
    Committing,
    Downloaded,
    Downloading,
    Erring,
    Failing,
    Idle,
    Installed,
    Installing,
    Proven,
    Rebooting,
    Reporting,
    RestartingBack,
    RollingBack,
    State,
    Syncing,
    Trying,
    TryingBack,
)
from ota_agent.lifecycle.step import Unexpected
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.server.deployment_log import DeploymentLog

logger = logging.getLogger(__name__)

NAMES: dict[type[State], str] = {
    Idle: "Idle",
    Syncing: "Sync",
    Downloading: "Download",
    Downloaded: "Downloaded",
    Installing: "ArtifactInstall",
    Installed: "Installed",
    Rebooting: "ArtifactReboot",
    Trying: "ArtifactVerifyReboot",
    Proven: "Proven",
    Committing: "ArtifactCommit",
    Committed: "Committed",
    Erring: "Error",
    RollingBack: "ArtifactRollback",
    RestartingBack: "ArtifactRollbackReboot",
    TryingBack: "ArtifactVerifyRollbackReboot",
    Failing: "ArtifactFailure",
    Cleaning: "Cleanup",
    Reporting: "Report",
}
"""What the log calls a state: by what Mender's documentation calls it, where it does."""

REVERSIBLE = (Downloading, Downloaded, Installing, Installed, Rebooting, Trying, Proven)
"""States in which an update can be taken back still."""

BY_HAND = "taken back by hand"
"""Why an update fails that a person did not want to keep."""


@dataclass(kw_only=True)
class Agent:
    """The one process that updates this device."""

    store: Store
    runtime: Runtime
    bulletin: Bulletin
    log: DeploymentLog

    @property
    def state(self) -> State:
        """What it is at."""
        return self.runtime.state

    @property
    def update(self) -> Update | None:
        """What is under way."""
        return getattr(self.runtime.state, "update", None)

    def install(self, source: str) -> None:
        """Install an artifact, or go on with its install.

        Raises:
            AgentError: another update is under way.
        """
        if isinstance(self.state, Reporting):
            logger.warning("the server is not told how the last update ended")
            self.runtime.feed(Failed("another install is wanted"))
        update = self.update
        if update is None:
            self.runtime.feed(Offered(Update(source=source)))
        elif update.source == source and isinstance(self.state, Downloading | Downloaded):
            logger.info("install: going on with %s", source)
            self.runtime.start()
        else:
            raise AgentError(
                f"an update is under way ({update.source}, {NAMES[type(self.state)]}): commit it,"
                " roll it back, or go on with it (ota-agent commit, rollback, resume)"
            )

    def commit(self) -> None:
        """Keep the update that waits for it.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be committed now.
        """
        self.require()
        if not isinstance(self.state, Installed | Trying | Proven):
            raise AgentError(self._is_at("is not ready to be committed"))
        self._feed(CommitAsked())

    def roll_back(self, reason: str = BY_HAND) -> None:
        """Take the update back.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be taken back now.
        """
        self.require()
        if not isinstance(self.state, Downloading | Downloaded | Installed | Trying | Proven):
            raise AgentError(self._is_at("cannot be taken back any more, or is already"))
        self._feed(RollbackAsked(reason))

    def require(self) -> None:
        """Pass if an update is under way.

        Raises:
            NothingInProgress: there is none.
        """
        if self.update is None:
            raise NothingInProgress("No update in progress.")

    def _feed(self, event: Event) -> None:
        try:
            self.runtime.feed(event)
        except Unexpected as error:
            raise AgentError(str(error)) from error

    def _is_at(self, finding: str) -> str:
        state = NAMES[type(self.state)]
        return f"the update is at {state}, and {finding}; `ota-agent resume` goes on with it"


def observer(
    bulletin: Bulletin, log: DeploymentLog, controls: Controls, installed: Callable[[], str]
) -> Callable[[State], None]:
    """Tells everybody of each state.

    Args:
        installed: gives the name of the artifact that the device provides.
    """
    last: list[Update] = []

    def observe(state: State) -> None:
        update: Update | None = getattr(state, "update", None)
        if update is not None and update.deployment:
            log.open(update.deployment)
        if update is not None or not isinstance(state, Idle | Syncing):
            logger.info("state %s", NAMES[type(state)])
        else:
            logger.debug("state %s", NAMES[type(state)])
        changes: dict[str, object] = {"state": type(state).__name__, "rate": 0.0}
        if update is not None:
            last[:] = [update]
            changes |= {
                "deployment": update.deployment,
                "source": update.source.partition("?")[0],
                "artifact": update.artifact.name if update.artifact else "",
                "slot": update.target,
                "reason": update.reason,
                "wants_reboot": isinstance(state, Installed) and update.is_rebooting,
            }
        elif isinstance(state, Idle):
            log.close()
            controls.clear()
            changes |= {"deployment": "", "source": "", "slot": "", "size": 0, "done": 0}
            changes |= {"note": "", "installed": installed()}
            if last:
                ended = last.pop()
                changes |= {"result": "failure" if ended.reason else "success"}
                changes |= {"is_consistent": not ended.reason or ended.is_consistent}
                changes |= {"reason": ended.reason, "updates": bulletin.get().updates + 1}
                changes |= {"wants_reboot": False}
        bulletin.change(**changes)

    return observe
