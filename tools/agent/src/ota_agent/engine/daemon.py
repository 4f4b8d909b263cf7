# SPDX-License-Identifier: Apache-2.0
"""The agent from boot to shutdown: asks, installs, reports, and waits for the next time."""

import logging
import os
import queue
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Literal

from ota_agent import __version__
from ota_agent.config.settings import Settings
from ota_agent.engine.agent import REVERSIBLE, Agent
from ota_agent.engine.assembly import assemble
from ota_agent.engine.owner import ownership
from ota_agent.engine.runtime import RebootWanted
from ota_agent.errors import AgentError, Busy, NothingInProgress, Unauthorized, Unreachable
from ota_agent.lifecycle.actions import PausePoint
from ota_agent.lifecycle.events import Failed, PollDue
from ota_agent.lifecycle.states import Installed, Proven, Reporting, Syncing
from ota_agent.server.polling import as_attributes, first_delay, next_delay
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.run import run as run_program

logger = logging.getLogger(__name__)

_GONE = 600.0  # [s] for the device to go down once it was told to. Source: Mender's client
_AGAIN = 60.0  # [s] until what could not be done is tried again
_RESTING = (Installed, Proven)
_LONGEST = 3600.0  # [s] of one wait; the clock of the loop is looked at then


class Stopping(BaseException):
    """The daemon was told to end; what is under way goes on when it starts again."""


def run(settings: Settings) -> int:
    """Be the agent until a signal ends it; gives the exit code.

    Raises:
        Taken: another process is the agent.
        AgentError: something is missing that it cannot do without.
    """
    with ExitStack() as stack:
        stack.enter_context(ownership(settings.device.lock))
        _set_clock(settings)
        agent = stack.enter_context(assemble(settings))
        daemon = Daemon(agent)
        stack.enter_context(agent.serve(daemon))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _stop)
        signal.signal(signal.SIGUSR1, lambda *_: daemon.wants(daemon.check_update))
        signal.signal(signal.SIGUSR2, lambda *_: daemon.wants(daemon.send_inventory))
        try:
            daemon.run()
        except Stopping:
            logger.info("stopped at %s", agent.state.mender_name)
    return 0


class Daemon:
    """The loop, and what the device API asks of it. See `Commands`."""

    def __init__(
        self,
        agent: Agent,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._agent, self._clock, self._chance = agent, clock, chance
        self._wanted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._failures = {"update": 0, "inventory": 0}  # one after the other
        soon = clock() + first_delay(agent.settings.polling, random=chance)
        self._poll_at = self._inventory_at = soon
        self._is_working = False
        self._told = ""
        self._again_at: float | None = None

    def run(self) -> None:
        """Go on with what was under way, and then for ever.

        What goes wrong with an update is no reason to end: it is tried again.
        """
        status = self._agent.bulletin.get()
        logger.info("started: version %s, slot %s", __version__, status.running_slot or "-")
        self._move(self._agent.runtime.start)
        while True:
            if work := self._next():
                self._move(work)
                continue
            if self._again_at is not None and self._clock() >= self._again_at:
                self._again_at = None
                self._move(self._agent.runtime.start)
            if self._agent.deployments.server is None or self._agent.update is not None:
                continue
            if self._clock() >= self._inventory_at:
                self._send_inventory()
            if self._clock() >= self._poll_at:
                self._poll()

    def _next(self) -> Callable[[], None] | None:
        """What somebody wants; None once the server is to be asked."""
        due = self._clock() + _LONGEST
        if self._agent.deployments.server is not None and self._agent.update is None:
            due = min(due, self._poll_at, self._inventory_at)
            self._agent.bulletin.change(next_poll=time.time() + self._poll_at - self._clock())
        if self._again_at is not None:
            due = min(due, self._again_at)
        try:
            return self._wanted.get(timeout=max(0.0, due - self._clock()))
        except queue.Empty:
            return None

    def _move(self, work: Callable[[], None]) -> None:
        """Have something happen to the update, whatever comes of it."""
        before = self._agent.bulletin.get().updates
        self._is_working = True
        try:
            work()
        except RebootWanted as reboot:
            self._reboot(is_manual=reboot.is_manual)
        except NothingInProgress as error:
            logger.info("%s", error)
        except (AgentError, ArtifactError, ProgramError, OSError) as error:
            self._recover(error)
        finally:
            self._is_working = False
        if self._agent.bulletin.get().updates != before:  # one has ended: tell what is there now
            self._inventory_at = min(self._inventory_at, self._clock())

    def _recover(self, error: Exception) -> None:
        """Something cannot be done now, such as to remember a state on a full disk."""
        logger.error("%s", error)
        if isinstance(self._agent.state, Syncing):  # an offer that could not be remembered
            offered = self._agent.deployments.offered
            self._agent.runtime.feed(Failed(str(error)))
            if offered is not None:
                self._agent.deployments.report(offered, "failure")
        elif self._agent.update is not None and not isinstance(self._agent.state, _RESTING):
            logger.info("trying again in %g s", _AGAIN)
            self._again_at = self._clock() + _AGAIN

    def _reboot(self, *, is_manual: bool) -> None:
        """Reboot the device; if it does not go down, the update has failed."""
        if is_manual:
            logger.info("the update is rolled back with the next reboot of the device")
            return
        logger.info("rebooting the device")
        why = "the device did not reboot"
        try:
            run_program(self._agent.settings.device.reboot, timeout=_GONE)
            time.sleep(_GONE)
        except ProgramError as error:
            why = f"{why}: {error}"
        self._move(lambda: self._agent.runtime.feed(Failed(why)))

    def _poll(self) -> None:
        if not self._agent.deployments.controls.is_enabled:
            self._poll_at = self._after("update", None)
            return
        before = self._agent.bulletin.get().updates
        self._move(lambda: self._agent.runtime.feed(PollDue()))
        self._poll_at = self._after("update", self._agent.deployments.poll_error)
        status = self._agent.bulletin.get()
        if status.updates != before and status.result == "success":
            self._poll_at = min(self._poll_at, self._clock() + 5.0)  # is there another one?
        self._note_token()

    def _send_inventory(self) -> None:
        from ota_agent.server.attributes import inventory

        agent, server, failure = self._agent, self._agent.deployments.server, None
        if server is None:
            return
        try:
            own = {
                "device_type": agent.deployments.device_type,
                "ota_agent_version": __version__,
                "ota_running_slot": agent.bulletin.get().running_slot,
            }
            found = inventory(agent.settings.attributes.inventory)
            intervals = as_attributes(agent.settings.polling)
            server.send_inventory({**found, **intervals, **agent.store.provides, **own})
        except AgentError as error:
            level = logging.INFO if isinstance(error, Unauthorized) else logging.WARNING
            logger.log(level, "inventory: %s", error)
            failure = error
        self._inventory_at = self._after("inventory", failure)
        self._note_token()

    def _after(self, what: Literal["update", "inventory"], error: AgentError | None) -> float:
        """When it is due again, now that it has failed or not."""
        options = self._agent.settings.polling
        self._failures[what] = self._failures[what] + 1 if error else 0
        return self._clock() + next_delay(
            options,
            options.update if what == "update" else options.inventory,
            self._failures[what],
            random=self._chance,
            retry_after=error.retry_after if isinstance(error, Unreachable) else 0.0,
        )

    def _note_token(self) -> None:
        """Say whether there is a token, and that it is another one."""
        bulletin, (token, _) = self._agent.bulletin, self.token()
        if token != self._told:
            self._told = token
            tokens = bulletin.get().tokens + 1
            bulletin.change(is_authorized=bool(token), tokens=tokens)

    def _require_rest(self) -> None:
        if self._is_working:
            state = self._agent.state.mender_name
            raise Busy(f"busy: an update is at {state}; ask again later")

    def _require_server(self) -> None:
        if self._agent.deployments.server is None:
            raise AgentError("this device has no server; set server.urls in agent.toml")

    def wants(self, work: Callable[[], None]) -> None:
        """Have the loop do something; a signal's handler may do no more than this."""
        self._wanted.put(work)

    def install(self, source: str) -> None:
        """See `Commands.install`."""
        if isinstance(self._agent.state, Reporting):
            self._agent.deployments.hurry.set()
        else:
            self._require_rest()
            if self._agent.update is not None:
                raise AgentError("an update waits to be committed or rolled back; do that first")
        self._wanted.put(lambda: self._agent.install(source))

    def commit(self) -> None:
        """See `Commands.commit`."""
        self._require_rest()
        self._agent.require()
        self._wanted.put(self._agent.commit)

    def rollback(self, reason: str) -> None:
        """See `Commands.rollback`."""
        self._agent.require()
        if not isinstance(self._agent.state, REVERSIBLE):
            raise AgentError("the update is committed, or taken back already")
        if self._is_working:
            self._agent.deployments.controls.abort(reason)
        else:
            self._wanted.put(lambda: self._agent.roll_back(reason))

    def resume(self) -> None:
        """See `Commands.resume`."""
        self._require_rest()
        self._agent.require()
        if isinstance(self._agent.state, _RESTING):
            raise AgentError("the update waits for a commit or a rollback; decide on it")
        self._wanted.put(self._agent.runtime.start)

    def check_update(self) -> None:
        """See `Commands.check_update`."""
        self._require_server()
        if not self._agent.deployments.controls.is_enabled:
            raise AgentError("updates are switched off; switch them on first")
        self._poll_at = self._clock()
        self._failures["update"] = 0
        self._wanted.put(_nothing)

    def send_inventory(self) -> None:
        """See `Commands.send_inventory`."""
        self._require_server()
        self._inventory_at = self._clock()
        self._wanted.put(_nothing)

    def pause(self, before: PausePoint) -> None:
        """See `Commands.pause`."""
        self._agent.deployments.controls.pause(before)

    def go_on(self) -> None:
        """See `Commands.go_on`."""
        self._agent.deployments.controls.go_on()

    def abort(self, reason: str) -> None:
        """See `Commands.abort`."""
        self.rollback(reason)

    def set_control_map(self, text: str) -> int:
        """See `Commands.set_control_map`."""
        return self._agent.deployments.controls.set_map(text)

    def set_enabled(self, is_enabled: bool) -> None:
        """See `Commands.set_enabled`."""
        self._agent.deployments.controls.set_enabled(is_enabled)
        self._agent.bulletin.change(is_enabled=is_enabled)

    def set_window(self, window: str) -> None:
        """See `Commands.set_window`."""
        self._agent.deployments.controls.set_window(window)
        self._agent.bulletin.change(window=window)

    def token(self) -> tuple[str, str]:
        """See `Commands.token`."""
        server = self._agent.deployments.server
        session = server.session if server is not None else None
        return (session.token, session.url) if session else ("", "")

    def fetch_token(self) -> bool:
        """See `Commands.fetch_token`."""
        server = self._agent.deployments.server
        if server is None:
            return False

        def fetch() -> None:
            try:
                server.forget_token()
                server.authenticate()
            except AgentError as error:
                logger.info("%s", error)
            self._told = "?"  # whoever asked hears of it, also if nothing came of it
            self._note_token()

        self._wanted.put(fetch)
        return True


def _nothing() -> None:
    """Wakes the loop, which then looks at the clock."""


def _set_clock(settings: Settings) -> None:
    if settings.tls.set_clock and os.geteuid() == 0:
        from ota_agent.device.clock import floor, raise_clock

        raise_clock(floor())


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopping
