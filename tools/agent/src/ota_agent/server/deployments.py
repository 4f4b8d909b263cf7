# SPDX-License-Identifier: Apache-2.0
"""The server's part in an update, and that of whoever pauses it; an update by hand has less."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from ota_agent.address import Address
from ota_agent.control.controls import Controls
from ota_agent.control.maps import Gate
from ota_agent.errors import Aborted, AgentError, Unreachable
from ota_agent.lifecycle.actions import Pass
from ota_agent.lifecycle.events import Event as Happening
from ota_agent.lifecycle.events import NothingNew, Offered
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.retry import doubled, spread
from ota_agent.server.client import Server
from ota_agent.server.deployment_log import DeploymentLog
from ota_agent.trial.health import GateOptions
from ota_agent.trial.offline import decide

logger = logging.getLogger(__name__)

_AGAIN = 10.0, 300.0  # [s] until a server that was out of reach is tried again: first, longest
_END = 7 * 86400.0  # [s] for telling it how an update ended; a restart begins anew
_SPREAD = 0.25  # of a delay, more or less
_REFUSALS = 20  # tries until a server that refuses is left alone
_ASKED = 3600.0  # [s] of what a server may ask us to wait
_AWAY = "away"
"""Of the store: how long the server was out of reach during the trial [s], over power cuts."""


@dataclass(slots=True, kw_only=True)
class Headquarters:
    """A server and its deployments, if there is one; and those who may pause or abort.

    Attributes:
        server: None if this device has none.
        paused: told of the state before which an update is paused, and by whom; empty: it goes on.
        poll_error: why the last poll failed; None if it did not.
        offered: what the server has offered last.
        hurry: set while nobody shall wait for the server any more.
    """

    server: Server | None
    controls: Controls
    store: Store
    log: DeploymentLog
    gate: GateOptions
    device_type: str
    boot_lines: Callable[[], list[str]]
    paused: Callable[[str, str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    poll_error: AgentError | None = None
    offered: Update | None = None
    hurry: Event = field(default_factory=Event)

    def poll(self) -> Happening:
        """See `performer.Headquarters`."""
        if self.server is None:
            return NothingNew()
        self.poll_error = None
        try:
            found = self.server.next_deployment(self.store.provides, self.device_type)
        except AgentError as error:
            self.poll_error = error
            raise
        if found is None:
            return NothingNew()
        self.controls.set_server_map(found.id, found.control_map)
        self.offered = Update(source=found.url, deployment=found.id)
        return Offered(self.offered)

    def renewed(self, update: Update) -> Address | None:
        """See `performer.Headquarters`."""
        if self.server is None or update.is_standalone:
            return None
        try:
            found = self.server.next_deployment(self.store.provides, self.device_type)
        except AgentError as error:
            logger.warning("the server gives no new address: %s", error)
            return None
        return found.url if found is not None and found.id == update.deployment else None

    def report(self, update: Update, status: str, substate: str = "") -> None:
        """See `performer.Headquarters`."""
        if self.server is None or update.is_standalone:
            return
        try:
            self.server.report(update.deployment, status, substate)
        except Aborted:
            raise
        except AgentError as error:
            logger.warning("the server was not told that it is %s: %s", status, error)

    def tell_the_end(self, update: Update, status: str) -> None:
        """See `performer.Headquarters`."""
        if self.server is None or update.is_standalone:
            return
        server = self.server
        self._patiently(f"that it is a {status}", lambda: server.report(update.deployment, status))
        if self.store.text(_AWAY):
            self.store.put(_AWAY, "")

    def pass_gate(self, update: Update, status: str, waiting: Callable[[], None]) -> None:
        """See `performer.Headquarters`."""
        if self.server is None or update.is_standalone:
            return
        self.server.forget_token()  # the new system may have another key, or identity
        began, failures, is_waiting = self.clock() - self._away(), 0, False
        while True:
            self.check()
            try:
                self.server.report(update.deployment, status)
                return
            except Aborted:
                raise
            except AgentError as error:
                unreachable = self.clock() - began
                self.store.put(_AWAY, f"{unreachable:.0f}")
                decision = decide(self.gate, unreachable=unreachable, is_healthy=True)
                logger.info("trial: %s (%s)", decision.why, error)
                if decision.verdict == "commit":
                    return
                if decision.verdict == "fail":
                    raise AgentError(f"{decision.why} ({error})") from error
                failures += 1
                again = _delay(failures, error)
            if not is_waiting:
                waiting()
                is_waiting = True
            self.controls.wait(again)

    def _away(self) -> float:
        """How long the server was out of reach in earlier boots of this trial [s]."""
        try:
            return float(self.store.text(_AWAY) or 0)
        except ValueError:
            return 0.0

    def pass_pause(self, update: Update, action: Pass, waiting: Callable[[], None]) -> None:
        """See `performer.Headquarters`."""

        def refresh() -> None:
            if self.server is not None and not update.is_standalone:
                value = self.server.control_map(update.deployment)
                self.controls.set_server_map(update.deployment, value)

        def paused(before: Gate, by: str) -> None:
            waiting()
            self.paused(before, by)
            statuses = {
                "ArtifactInstall": "pause_before_installing",
                "ArtifactReboot": "pause_before_rebooting",
                "ArtifactCommit": "pause_before_committing",
            }
            self.report(update, statuses[before])

        try:
            self.controls.pass_gate(action.before, refresh=refresh, paused=paused)
        finally:
            self.paused("", "")

    def check(self) -> None:
        """See `performer.Headquarters`."""
        self.controls.check()

    def send_log(self, update: Update) -> None:
        """See `performer.Headquarters`."""
        server = self.server
        if server is None or update.is_standalone:
            return
        try:
            boots = self.boot_lines()
        except (AgentError, OSError) as error:
            boots = [f"no log of boots: {error}"]
        self._patiently("the log", lambda: server.send_log(update.deployment, self._lines(boots)))

    def _lines(self, boots: list[str]) -> list[dict[str, str]]:
        return self.log.lines(boots)

    def _patiently(self, what: str, tell: Callable[[], None]) -> None:
        """Tell the server something that it has to know, however long it is away."""
        end, failures, refusals = self.clock() + _END, 0, 0
        while True:
            failures += 1
            try:
                tell()
                return
            except Unreachable as error:
                again = _delay(failures, error)
                if self.clock() + again > end:
                    logger.error("the server was never told %s: %s", what, error)
                    return
                logger.info("the server is out of reach, trying again in %.0f s: %s", again, error)
            except Aborted as error:
                logger.warning("the server does not want to know %s: %s", what, error)
                return
            except AgentError as error:
                refusals += 1
                if refusals >= _REFUSALS:
                    logger.error("the server was never told %s: %s", what, error)
                    return
                again = _delay(failures, error)
                logger.warning("the server was not told %s, trying again: %s", what, error)
            (self.sleep or self.hurry.wait)(again)  # an abort is of no use any more
            if self.hurry.is_set():
                logger.warning("the server is not told %s: another install is wanted", what)
                return


def _delay(failures: int, error: AgentError) -> float:
    """Until the next try [s]."""
    asked = error.retry_after if isinstance(error, Unreachable) else 0.0
    return spread(
        doubled(*_AGAIN, failures),
        share=_SPREAD,
        chance=random.SystemRandom().random(),
        asked=min(asked, _ASKED),
    )
