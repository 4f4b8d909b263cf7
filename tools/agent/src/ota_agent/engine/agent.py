# SPDX-License-Identifier: Apache-2.0
"""The agent put together: one state, those who move it on, and those who look at it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.address import Address
from ota_agent.api.status import LiveStatus
from ota_agent.control.controls import Controls
from ota_agent.engine.runtime import Runtime
from ota_agent.errors import AgentError, NothingInProgress
from ota_agent.lifecycle.events import CommitAsked, Failed, Offered, RollbackAsked
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
from ota_agent.lifecycle.step import Unexpected, step
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

BY_HAND = "rolled back by hand"
"""Why an update fails that the user rolled back with a command."""


@dataclass(kw_only=True)
class Agent:
    """The one process that updates this device."""

    store: Store
    runtime: Runtime
    live: LiveStatus
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

        Args:
            source: its address, all of it.

        Raises:
            AgentError: another update is under way.
        """
        if isinstance(self.state, Reporting):
            logger.warning("the server is not told how the last update ended")
            self.runtime.feed(Failed("another install is wanted"))
        update, address = self.update, Address(source)
        if update is None:
            self.runtime.feed(Offered(Update(source=address)))
        elif update.source == address and isinstance(self.state, Downloading | Downloaded):
            logger.info("install: going on with %s", address)
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
        self.check_commit()
        self.runtime.feed(CommitAsked())

    def check_commit(self) -> None:
        """Raise unless the update can be committed now; see `commit`."""
        self.require()
        if not isinstance(self.state, Installed | Trying | Proven):
            raise AgentError(self._is_at("is not ready to be committed"))
        try:
            step(self.state, CommitAsked())
        except Unexpected as error:
            raise AgentError(str(error)) from error

    def roll_back(self, reason: str = BY_HAND) -> None:
        """Roll the update back.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be rolled back now.
        """
        self.require()
        if not isinstance(self.state, Downloading | Downloaded | Installed | Trying | Proven):
            raise AgentError(self._is_at("cannot be rolled back any more, or is already"))
        self.runtime.feed(RollbackAsked(reason))

    def require(self) -> None:
        """Raise unless an update is under way.

        Raises:
            NothingInProgress: there is none.
        """
        if self.update is None:
            raise NothingInProgress("No update in progress.")

    def _is_at(self, finding: str) -> str:
        state = NAMES[type(self.state)]
        return f"the update is at {state}, and {finding}; `ota-agent resume` goes on with it"


def observer(
    live: LiveStatus, log: DeploymentLog, controls: Controls, installed: Callable[[], str]
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
                "source": str(update.source),
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
                changes |= {"reason": ended.reason, "updates": live.get().updates + 1}
                changes |= {"wants_reboot": False}
        live.change(**changes)

    return observe
