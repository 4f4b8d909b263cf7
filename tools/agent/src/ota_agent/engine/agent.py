# SPDX-License-Identifier: Apache-2.0
"""The agent put together: one state, those who move it on, and those who look at it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ota_agent.api import Commands
from ota_agent.api.status import Bulletin
from ota_agent.config.settings import Settings
from ota_agent.engine.runtime import Runtime
from ota_agent.errors import AgentError, NothingInProgress
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.events import CommitAsked, Failed, Offered, RollbackAsked
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.server.deployments import Deployments

logger = logging.getLogger(__name__)

REVERSIBLE = s.Forward | s.Trying | s.Proven
"""States in which an update can be rolled back still."""

BY_HAND = "taken back by hand"
"""Why an update fails that a user did not want to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The one process that updates this device."""

    settings: Settings
    store: Store
    runtime: Runtime
    bulletin: Bulletin
    deployments: Deployments

    @property
    def state(self) -> s.State:
        """What it is at."""
        return self.runtime.state

    @property
    def update(self) -> Update | None:
        """What is under way."""
        state = self.runtime.state
        return state.update if isinstance(state, s.UnderWay) else None

    @contextmanager
    def serve(self, commands: Commands | None = None) -> Iterator[None]:
        """Serve the device API meanwhile; without commands, one that only shows and controls."""
        from ota_agent.api.busy import Busy
        from ota_agent.api.server import ApiServer

        commands = commands or Busy(self.deployments.controls)
        socket = self.settings.device.socket
        with ApiServer(socket, self.settings.api, self.bulletin, commands):
            yield

    def install(self, source: str) -> None:
        """Install an artifact, or go on with its install.

        Raises:
            AgentError: another update is under way.
        """
        if isinstance(self.state, s.Reporting):
            logger.warning("the server is not told how the last update ended")
            self.runtime.feed(Failed("another install is wanted"))
        update = self.update
        if update is None:
            self.runtime.feed(Offered(Update(source=source)))
        elif update.source == source and isinstance(self.state, s.Downloading | s.Downloaded):
            logger.info("install: going on with %s", source)
            self.runtime.start()
        else:
            raise AgentError(
                f"an update is under way ({update.source}, {self.state.mender_name}): commit it,"
                " roll it back, or go on with it (ota-agent commit, rollback, resume)"
            )

    def commit(self) -> None:
        """Keep the update that waits for it.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be committed now.
        """
        self.require()
        if not isinstance(self.state, s.Installed | s.Trying | s.Proven):
            raise self._refusal("is not ready to be committed")
        self.runtime.feed(CommitAsked())

    def roll_back(self, reason: str = BY_HAND) -> None:
        """Roll the update back.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be rolled back now.
        """
        self.require()
        at_rest = s.Downloading | s.Downloaded | s.Installed | s.Trying | s.Proven
        if not isinstance(self.state, at_rest):
            raise self._refusal("cannot be taken back any more, or is already")
        self.runtime.feed(RollbackAsked(reason))

    def require(self) -> None:
        """Pass if an update is under way.

        Raises:
            NothingInProgress: there is none.
        """
        if self.update is None:
            raise NothingInProgress("No update in progress.")

    def _refusal(self, finding: str) -> AgentError:
        return AgentError(
            f"the update is at {self.state.mender_name}, and {finding}; `ota-agent resume` goes on"
            " with it"
        )
