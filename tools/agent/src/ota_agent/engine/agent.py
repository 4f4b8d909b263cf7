# SPDX-License-Identifier: Apache-2.0
"""The agent put together: one state, those who move it on, and those who look at it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from ota_agent import __version__
from ota_agent.address import Address
from ota_agent.api.status import LiveStatus
from ota_agent.config.settings import Settings
from ota_agent.engine.runtime import Runtime
from ota_agent.engine.stray import StrayTrial
from ota_agent.engine.warnings import Warnings
from ota_agent.errors import NOTHING, AgentError, NothingInProgress
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.events import CommitAsked, Failed, Offered, RollbackAsked
from ota_agent.lifecycle.step import step
from ota_agent.lifecycle.update import Update
from ota_agent.memory.bootstrap import look
from ota_agent.memory.correct import correct
from ota_agent.memory.store import Store
from ota_agent.server.deployments import Deployments
from ota_artifact.provides import NAME

logger = logging.getLogger(__name__)

REVERSIBLE = s.Forward | s.Trying | s.Proven
"""States in which an update can be rolled back still."""

BY_HAND = "rolled back by hand"
"""Why an update fails that the user rolled back with a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The one process that updates this device.

    Attributes:
        makeshift: why its memory ends with this boot, so that nothing can be installed; empty: it
            does not.
        no_slots: why it does not know the slots that it should have; empty: nothing is wrong.
    """

    settings: Settings
    store: Store
    runtime: Runtime
    live: LiveStatus
    deployments: Deployments
    stray: StrayTrial
    warnings: Warnings
    makeshift: str = ""
    no_slots: str = ""

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
    def serve(self, *daemon: object) -> Iterator[None]:
        """Serve the device API meanwhile; without a daemon, the calls that need none."""
        from ota_agent.api.server import ApiServer
        from ota_agent.api.standalone import StandaloneCommands

        targets = (*daemon, StandaloneCommands(self.deployments.controls, self.live))
        with ApiServer(self.settings.device.socket, self.settings.api, self.live, *targets):
            yield

    def install(self, source: str) -> None:
        """Install an artifact, or continue with its install.

        Args:
            source: its address, all of it.

        Raises:
            AgentError: another update is under way.
        """
        if isinstance(self.state, s.Reporting):
            logger.warning("the server is not told how the last update ended")
            self.runtime.feed(Failed("another install is wanted"))
        update, address = self.update, Address(source)
        if update is None:
            self.runtime.feed(Offered(Update(source=address)))
        elif update.source == address and isinstance(self.state, s.Downloading | s.Downloaded):
            logger.info("install: continuing with %s", address)
            self.runtime.start()
        else:
            raise AgentError(
                f"an update is under way ({update.source}, {self.state.mender_name}): commit it,"
                " roll it back, or continue with it (ota-agent commit, rollback, resume)"
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
        if not isinstance(self.state, s.Installed | s.Trying | s.Proven):
            raise self._refusal("is not ready to be committed")
        step(self.state, CommitAsked())

    def roll_back(self, reason: str) -> None:
        """Roll the update back.

        Raises:
            NothingInProgress: there is none.
            AgentError: it cannot be rolled back now.
        """
        self.require()
        at_rest = s.Downloading | s.Downloaded | s.Installed | s.Trying | s.Proven
        if not isinstance(self.state, at_rest):
            raise self._refusal("can no longer be rolled back, or is already")
        self.runtime.feed(RollbackAsked(reason))

    def end_stray(self, how: Literal["commit", "rollback"]) -> None:
        """Keep, or roll back, what runs on trial without an update that the agent knows.

        Raises:
            NothingInProgress: there is no such trial.
            AgentError: the bootloader could not be told.
        """
        wants_reboot = self.stray.end(how)
        self.warnings.texts.clear()
        self.warnings.put(how, correct(self.store, self.state, look(self.stray.boot)))
        installed = self.store.provides.get(NAME, "")
        self.live.change(wants_reboot=wants_reboot, installed=installed)

    def require(self) -> None:
        """Raise unless an update is under way.

        Raises:
            NothingInProgress: there is none.
        """
        if self.update is None:
            raise NothingInProgress(NOTHING)

    def _refusal(self, finding: str) -> AgentError:
        return AgentError(
            f"the update is at {self.state.mender_name}, and {finding}; `ota-agent resume`"
            " continues with it"
        )

    def attributes(self) -> dict[str, str]:
        """What the agent itself says of the device."""
        now = self.live.get()
        found = {
            "device_type": self.deployments.device_type,
            "ota_agent_version": __version__,
            "ota_running_slot": now.running_slot,
        }
        state = "" if self.update is None else self.state.mender_name
        warning = self.deployments.log.redacted(now.warning)
        more = {"ota_state": state, "ota_warning": warning, "ota_security_floor": now.floor}
        return {**found, **{name: text for name, text in more.items() if text}}
