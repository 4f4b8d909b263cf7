# SPDX-License-Identifier: Apache-2.0
"""Carries out what `step` decides: remembers it first, then does it, then asks what follows."""

import logging
from collections.abc import Callable, Container
from dataclasses import astuple
from pathlib import Path
from typing import Protocol

from ota_agent.address import hide
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Action
from ota_agent.lifecycle.events import Done, Event, Failed, Started, Trial
from ota_agent.lifecycle.states import Committing, Idle, Installing, State, Syncing
from ota_agent.lifecycle.step import step
from ota_agent.memory.store import Store
from ota_artifact.errors import ArtifactError, ProgramError

logger = logging.getLogger(__name__)

_STOPPED_OUTSIDE = (Installing, Committing)
"""States that are not remembered when it stops before them: an update fails that they interrupt."""


class Performer(Protocol):
    """Does what the actions say."""

    def perform(self, action: Action, state: State) -> Event | None:
        """Carry one action out; gives the event of those that have one.

        Raises:
            AgentError, ArtifactError, ProgramError, OSError: it failed; the text says why.
            RebootWanted: the device has to reboot now.
        """
        ...

    def trial(self, state: State) -> tuple[Trial, str]:
        """How the trial of the update stands, and the bootloader's reason for a rollback."""
        ...


class RebootWanted(Exception):
    """The device has to reboot: nothing more is done in this boot.

    Attributes:
        is_manual: a user reboots it.
    """

    def __init__(self, *, is_manual: bool = False) -> None:
        super().__init__("the device has to reboot")
        self.is_manual = is_manual


class Stopped(Exception):
    """It was told to stop before a state; `Runtime.start` continues from there.

    Attributes:
        before: the state.
    """

    def __init__(self, before: type[State]) -> None:
        super().__init__(f"stopped before {before.__name__}")
        self.before = before


class Runtime:
    """The agent's heart: one state, on the disk before anything is done in it.

    Args:
        boot: the kernel's boot id: a restart of the agent alone keeps it.
        observe: told of each state, once it is remembered and before its first action.
        stop_before: states that are not begun.
    """

    def __init__(
        self,
        store: Store,
        performer: Performer,
        boot: str,
        observe: Callable[[State], None] = lambda state: None,
        *,
        stop_before: Container[type[State]] = (),
    ) -> None:
        self._store, self._performer, self._boot = store, performer, boot
        self._observe, self._stop_before = observe, stop_before
        saved = store.load()
        self._saved = saved.state
        self._has_rebooted = saved.boot != boot
        self.state: State = saved.state

    def start(self) -> None:
        """Continue with what was under way when the agent or the device stopped.

        Raises:
            RebootWanted: the device has to reboot.
            AgentError: the state cannot be remembered.
        """
        if isinstance(self.state, Idle | Syncing):
            self.state = Idle()
            return
        trial, why = self._performer.trial(self.state)
        has_rebooted, self._has_rebooted = self._has_rebooted, False
        self.feed(Started(has_rebooted, trial, why))

    def feed(self, event: Event) -> None:
        """Have something happen, and carry out all that follows from it.

        Raises:
            Unexpected: it cannot happen now; nothing has changed.
            Stopped: it was told to stop here.
            RebootWanted: the device has to reboot.
            AgentError: the state cannot be remembered; nothing was done in it.
        """
        following: Event | None = event
        while following is not None:
            now = step(self.state, following)
            kind = type(now.state)
            is_stop = kind in self._stop_before and kind is not type(self.state)
            if is_stop and kind in _STOPPED_OUTSIDE:
                raise Stopped(kind)
            self._remember(now.state)
            self.state = now.state
            if is_stop:
                raise Stopped(kind)
            self._observe(now.state)
            following = self._carry_out(now.actions) if now.actions else None

    def _remember(self, state: State) -> None:
        """A device that polls writes nothing: only an update is worth it."""
        if isinstance(state, Syncing) or (
            isinstance(state, Idle) and isinstance(self._saved, Idle)
        ):
            return
        self._store.save(state, self._boot)
        self._saved = state

    def _carry_out(self, actions: tuple[Action, ...]) -> Event | None:
        """What the last action gives; the first that fails is the last."""
        event: Event | None = None
        for action in actions:
            try:
                event = self._performer.perform(action, self.state)
            except (AgentError, ArtifactError, ProgramError, OSError) as error:
                if getattr(action, "is_ignored", False):
                    logger.warning("%s: %s; it changes nothing", _name(action), error)
                    event = None
                    continue
                logger.error("%s: %s", _name(action), error)
                return Failed(f"{_name(action)}: {error}")
            except RebootWanted:
                raise
            except Exception as error:  # a bug of ours: the update fails, and the agent continues
                logger.exception("%s", _name(action))
                what = f"{type(error).__name__}: {hide(str(error))}"  # a repr may hold an address
                return Failed(f"{_name(action)}: internal error, please report it: {what}")
        if event is not None:
            return event
        return None if isinstance(self.state, Idle) else Done()


def boot_id(path: Path) -> str:
    """The kernel's boot id, another one after each boot. Source: random(4).

    Raises:
        AgentError: there is none: /proc is not mounted.
    """
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}; is /proc mounted?") from error


def _name(action: Action) -> str:
    details = (each for each in astuple(action) if isinstance(each, str))
    return " ".join((type(action).__name__, *details))
