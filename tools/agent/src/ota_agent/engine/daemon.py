# SPDX-License-Identifier: Apache-2.0
"""The agent from boot to shutdown: polls, installs, reports, and waits for the next poll."""

import logging
import os
import queue
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

from ota_agent import __version__
from ota_agent.bootloader.find import boot_of
from ota_agent.config.settings import Settings
from ota_agent.device.reboot import reboot
from ota_agent.engine.agent import REVERSIBLE, Agent
from ota_agent.engine.assembly import assemble
from ota_agent.engine.owner import ownership
from ota_agent.engine.runtime import RebootWanted
from ota_agent.engine.trial_end import AGAIN, TrialEnd
from ota_agent.errors import AgentError, Busy, NothingInProgress, Unauthorized, Unreachable
from ota_agent.hurry import heeding
from ota_agent.lifecycle.events import Failed, PollDue
from ota_agent.lifecycle.states import Installed, Proven, RebootingBack, Reporting, Syncing
from ota_agent.memory.correct import open_store
from ota_agent.server.polling import Asked, as_attributes, first_delay, next_delay
from ota_artifact.errors import ArtifactError, ProgramError

logger = logging.getLogger(__name__)

_GONE = 600.0  # [s] for the device to go down after the command. Source: Mender's client
_RESTING = (Installed, Proven)
_UNDECIDED = "an update is waiting to be committed or rolled back; do that first"
_LONGEST = 3600.0  # [s] of one wait; the clock of the loop is looked at then


class StartAfresh(BaseException):
    """What the agent lacked when it started is there now."""


class Stopping(SystemExit):
    """The daemon was told to stop; the update continues when it starts again."""


def run(settings: Settings) -> int:
    """Be the agent until a signal ends it; gives the exit code.

    Raises:
        Taken: another process is the agent.
        AgentError: something is missing that it cannot do without.
    """
    with ExitStack() as stack:
        stack.enter_context(ownership(settings.device.lock))
        _set_clock(settings)
        while _serves(settings):
            logger.info("what was missing at the start is there now: starting afresh")
    return 0


def _serves(settings: Settings) -> bool:
    """Be the agent; gives whether to be it again, since what it lacked is there now."""
    with ExitStack() as stack:
        agent = stack.enter_context(assemble(settings, may_be_makeshift=True))
        daemon = Daemon(agent)
        stack.enter_context(agent.serve(daemon))
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, _stop)
            signal.signal(signal.SIGUSR1, lambda *_: daemon.wants(daemon.check_update))
            signal.signal(signal.SIGUSR2, lambda *_: daemon.wants(daemon.send_inventory))
            daemon.run()
        except StartAfresh:
            return True
        except Stopping:
            logger.info("stopped at %s", agent.state.mender_name)
    return False


class Daemon:
    """The loop, and the calls of the device API that need it.

    Those run in the thread of the socket: they queue the work for the loop, or raise at once.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._agent, self._clock, self._chance = agent, clock, chance
        self._wanted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._failures = {"update": 0, "inventory": 0}
        soon = clock() + first_delay(agent.settings.polling, random=chance)
        self._poll_at = self._inventory_at = soon
        self._is_working = False
        self._told = ""
        self._attributes: dict[str, str | tuple[str, ...]] | None = None
        self._again_at: float | None = None
        self._trial_end = TrialEnd(agent=agent, clock=clock)
        agent.deployments.make_way = self._make_way

    def run(self) -> None:
        """Continue with the update that was under way, then serve forever.

        An update that goes wrong does not end the daemon: it is tried again.
        """
        status = self._agent.live.get()
        logger.info("started: version %s, slot %s", __version__, status.running_slot or "-")
        self._move(self._agent.runtime.start)
        self._trial_end.watch_stray()
        while True:
            if work := self._next():
                self._move(work)
                continue
            if self._again_at is not None and self._clock() >= self._again_at:
                self._again_at = None
                self._move(self._agent.runtime.start)
            self._trial_end.end_stray()
            self._look_again()
            if self._agent.deployments.server is None:
                continue
            if self._clock() >= self._inventory_at:
                self._send_inventory()
            elif self._clock() >= self._poll_at:
                self._poll()

    def _next(self) -> Callable[[], None] | None:
        """The next work in the queue; None once the server is due."""
        due = self._clock() + (AGAIN if self._lacks() else _LONGEST)
        if self._agent.deployments.server is not None:
            due = min(due, self._poll_at, self._inventory_at)
            self._agent.live.change(next_poll=time.time() + self._poll_at - self._clock())
        due = min(due, *filter(None, (self._again_at, self._trial_end.due)), due)
        try:
            return self._wanted.get(timeout=max(0.0, due - self._clock()))
        except queue.Empty:
            return None

    def _move(self, work: Callable[[], None]) -> None:
        """Do some work on the update, and survive its failure."""
        before = self._agent.live.get().updates
        self._is_working = True
        try:
            work()
            self._trial_end.note_progress()
        except RebootWanted as reboot:
            self._agent.live.change(wants_reboot=True)
            self._reboot(is_manual=reboot.is_manual)
        except NothingInProgress as error:
            logger.info("%s", error)
        except (AgentError, ArtifactError, ProgramError, OSError) as error:
            self._recover(error)
        finally:
            self._is_working = False
        if self._agent.live.get().updates != before:  # an update has ended: report what is there
            self._inventory_at = min(self._inventory_at, self._clock())
            self._trial_end.watch_stray()

    def _recover(self, error: Exception) -> None:
        """Handle work that failed, such as a state that could not be saved on a full disk."""
        logger.error("%s", error)
        if isinstance(self._agent.state, Syncing):  # an offer that could not be saved
            offered = self._agent.deployments.offered
            self._agent.runtime.feed(Failed(str(error)))
            if offered is not None:
                self._agent.deployments.report(offered, "failure")
        elif self._agent.update is not None and not isinstance(self._agent.state, _RESTING):
            logger.info("trying again in %g s", AGAIN)
            self._again_at = self._clock() + AGAIN
            self._trial_end.note_stuck(str(error))

    def _reboot(self, *, is_manual: bool) -> None:
        """Reboot the device; if it does not go down, the update has failed."""
        if is_manual:
            logger.info("the rollback ends with the next reboot of the device")
            return
        logger.info("rebooting the device")
        why = "the device did not reboot"
        try:
            reboot(self._agent.settings.device, timeout=_GONE)
            time.sleep(_GONE)
        except (AgentError, ProgramError) as error:
            why = f"{why}: {error}"
        self._move(lambda: self._agent.runtime.feed(Failed(why)))

    def _lacks(self) -> bool:
        """Whether something was missing at the start that may come: room on /data, or a device."""
        return bool(self._agent.makeshift or self._agent.no_slots)

    def _look_again(self) -> None:
        """Start afresh once it is there."""
        if self._lacks() and self._agent.update is None:
            try:
                if self._agent.makeshift:
                    open_store(self._agent.settings.device).close()
                boot_of(self._agent.settings.device)
            except AgentError as error:
                logger.debug("%s", error)
            else:
                raise StartAfresh

    def _poll(self) -> None:
        if self._agent.update is not None or self._agent.makeshift:
            # A user decides, or reboots, when it suits; until then the device is not silent.
            failure = self._send_inventory(is_again=True)
            self._poll_at = self._schedule("update", failure)
            return
        if not self._agent.deployments.controls.is_enabled:
            self._poll_at = self._schedule("update")
            return
        before = self._agent.live.get().updates
        self._move(lambda: self._agent.runtime.feed(PollDue()))
        self._poll_at = self._schedule("update", self._agent.deployments.poll_error)
        status = self._agent.live.get()
        if status.updates != before and status.result == "success":
            self._poll_at = min(self._poll_at, self._clock() + 5.0)  # there may be another update
        self._note_token()

    def _send_inventory(self, *, is_again: bool = False) -> AgentError | None:
        """Tell what is in the device; gives why that failed.

        Args:
            is_again: as it was told last, so that the server hears of the device.
        """
        from ota_agent.server.attributes import inventory

        if (server := self._agent.deployments.server) is None:
            return None
        failure: AgentError | None = None
        if self._attributes is None or not is_again:
            self._attributes = inventory(self._agent.settings.attributes.inventory)
        told = {**self._attributes, **as_attributes(self._agent.settings.polling)}
        told |= {**self._agent.store.provides, **self._agent.attributes()}
        try:
            with heeding(self._make_way):
                server.send_inventory(told, is_again=is_again)
        except AgentError as error:
            failure = error
            level = logging.INFO if isinstance(error, Unauthorized) else logging.WARNING
            logger.log(level, "inventory: %s", error)
        if not is_again:
            self._inventory_at = self._schedule("inventory", failure)
        self._note_token()
        return failure

    def _make_way(self) -> None:
        """Raise if something is to be done that should not wait for a server."""
        if not self._wanted.empty():
            raise Unreachable("a user wants something, which goes first")

    def _schedule(self, what: Asked, error: AgentError | None = None) -> float:
        """Count the failures in a row; gives when it is due next [s]."""
        self._failures[what] = self._failures[what] + 1 if error else 0
        options = self._agent.settings.polling
        return self._clock() + next_delay(
            options,
            options.interval(what, self._agent.deployments.poll_after),
            self._failures[what],
            random=self._chance,
            retry_after=error.retry_after if isinstance(error, Unreachable) else 0.0,
        )

    def _note_token(self) -> None:
        """Update the status if the token has changed."""
        live, token = self._agent.live, self.token()["token"]
        if token != self._told:
            self._told = token
            tokens = live.get().tokens + 1
            live.change(is_authorized=bool(token), tokens=tokens)

    def wants(self, work: Callable[[], None]) -> None:
        """Queue work for the loop; a signal handler may do no more than this."""
        self._wanted.put(work)

    def install(self, source: str) -> None:
        """Install the artifact at a URL or path."""
        if isinstance(self._agent.state, Reporting):
            self._agent.deployments.hurry.set()
        else:
            self._require_rest()
            if self._agent.update is not None:
                raise AgentError(_UNDECIDED)
        if self._agent.makeshift:
            raise AgentError(self._agent.makeshift)
        self.wants(lambda: self._agent.install(source))

    def commit(self) -> None:
        """Keep the update that runs on trial."""
        self._require_rest()
        if self._agent.update is None:
            self._agent.end_stray("commit")
            return
        self._agent.check_commit()
        self.wants(self._agent.commit)

    def rollback(self, reason: str) -> None:
        """Roll the update back; before its install, drop it."""
        if self._agent.update is None:
            self._require_rest()
            self._agent.end_stray("rollback")
            return
        if not isinstance(self._agent.state, REVERSIBLE):
            raise AgentError("the update is already committed or rolled back")
        if self._is_working:
            self._agent.deployments.controls.abort(reason)
        else:
            self.wants(lambda: self._agent.roll_back(reason))

    abort = rollback

    def refuse(self, reason: str) -> None:
        """`abort` for a user who is not root, as often as `Controls.count_refusal` lets them."""
        self._agent.deployments.controls.count_refusal()
        self.rollback(reason)

    def resume(self) -> None:
        """Continue with an update that was interrupted."""
        self._require_rest()
        self._agent.require()
        if isinstance(self._agent.state, _RESTING):
            raise AgentError(_UNDECIDED)
        self.wants(self._agent.runtime.start)

    def check_update(self) -> None:
        """Poll the server now."""
        self._require_server()
        if not self._agent.deployments.controls.is_enabled:
            raise AgentError("updates are switched off; switch them on first")
        self._poll_at = self._clock()
        self._failures["update"] = 0
        self.wants(lambda: None)  # the loop wakes, and looks at the clock

    def send_inventory(self) -> None:
        """Send the inventory now."""
        self._require_server()
        self._inventory_at = self._clock()
        self.wants(lambda: None)  # the loop wakes, and looks at the clock

    def token(self) -> dict[str, str]:
        """The server's token for this device, and the server's URL; both empty without one."""
        server = self._agent.deployments.server
        session = server.session if server is not None else None
        return {
            "token": session.token if session else "",
            "server": session.url.full if session else "",
        }

    def fetch_token(self) -> dict[str, bool]:
        """Ask the server for a new token, if there is a server."""
        server = self._agent.deployments.server
        if server is None:
            return {"is_fetching": False}

        def fetch() -> None:
            try:
                server.forget_token()
                server.authenticate()
            except AgentError as error:
                logger.info("%s", error)
            self._told = "?"  # the caller hears of it, even if the token is the old one
            self._note_token()

        self.wants(fetch)
        return {"is_fetching": True}

    def _require_rest(self) -> None:
        state = self._agent.state
        if self._is_working:
            raise Busy(f"busy: an update is at {state.mender_name}; try again later")
        if isinstance(state, RebootingBack) and self._agent.live.get().wants_reboot:
            raise AgentError("the rollback ends with a reboot; reboot the device first")

    def _require_server(self) -> None:
        if self._agent.deployments.server is None:
            raise AgentError("this device has no server; set server.urls in agent.toml")


def _set_clock(settings: Settings) -> None:
    if settings.tls.set_clock and os.geteuid() == 0:
        from ota_agent.device.clock import floor, raise_clock

        raise_clock(floor())


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopping
