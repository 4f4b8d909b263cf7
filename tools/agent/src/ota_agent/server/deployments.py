# SPDX-License-Identifier: Apache-2.0
"""The server's part in an update, and that of a user who pauses it; an update by hand has less."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from ota_agent.address import Address
from ota_agent.bootloader.boot import Boot
from ota_agent.control.controls import Controls
from ota_agent.errors import Aborted, AgentError, Unreachable
from ota_agent.hurry import heeding
from ota_agent.lifecycle.actions import PausePoint
from ota_agent.lifecycle.events import Event as Happening
from ota_agent.lifecycle.events import NothingNew, Offered
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.retry import doubled, spread
from ota_agent.server.deployment_log import DeploymentLog
from ota_agent.server.failures import Failure, Failures
from ota_agent.trial import boot_log
from ota_agent.trial.boot_log import BootLogOptions
from ota_agent.trial.health import CommitOptions
from ota_agent.trial.offline import decide

if TYPE_CHECKING:
    from ota_agent.server.client import Deployment, Server

logger = logging.getLogger(__name__)

_AGAIN = 10.0, 300.0  # [s] until a server that was out of reach is tried again: first, longest
_END = 7 * 86400.0  # [s] for telling it how an update ended; a restart begins again
_SPREAD = 0.25  # of a delay, more or less
_REFUSALS = 20  # tries until a server that refuses is left alone
_ASKED = 3600.0  # [s] of what a server may ask us to wait
_AWAY = "away"
"""Of the store: how long the server was out of reach during the trial [s], over power cuts."""

_PAUSED: dict[PausePoint, str] = {
    "ArtifactInstall": "pause_before_installing",
    "ArtifactReboot": "pause_before_rebooting",
    "ArtifactCommit": "pause_before_committing",
}
"""What the server is told of a pause."""


@dataclass(slots=True, kw_only=True)
class Deployments:
    """Where updates come from and where their outcome is reported; and who may pause or abort them.

    Attributes:
        server: None if this device has none.
        boot: None if this device has no slots.
        paused: told of the state before which an update is paused, and by whom; empty: it is not.
        poll_error: why the last poll failed; None if it did not.
        offered: what the server has offered last.
        failures: the deployments that have failed.
        hurry: set while nobody must wait for the server.
        make_way: raises, to end a poll, if a user wants something.
    """

    server: "Server | None"
    controls: Controls
    store: Store
    log: DeploymentLog
    commit: CommitOptions
    device_type: str
    boot: Boot | None
    boot_log: BootLogOptions
    paused: Callable[[str, str], object]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    poll_error: AgentError | None = None
    offered: Update | None = None
    hurry: Event = field(default_factory=Event)
    make_way: Callable[[], object] = lambda: None
    failures: Failures = field(init=False)
    _artifact: str = ""
    _digest: str = ""
    _told_again: str = ""

    def __post_init__(self) -> None:
        self.failures = Failures(self.store, clock=self.clock)

    def poll(self) -> Happening:
        """Ask the server: `Offered` or `NothingNew`.

        Raises:
            AgentError: it cannot be reached, or refuses.
        """
        self.poll_error = None
        try:
            with heeding(self.make_way):
                found = self._next_deployment()
        except AgentError as error:
            self.poll_error = error
            raise
        if found is None:
            return NothingNew()
        held = self.failures.held(found.id, found.artifact)
        if held is not None:
            self._tell_again(found, *held)
            return NothingNew()
        self._artifact, self._digest = found.artifact, ""
        self.controls.set_server_map(found.id, found.control_map)
        self.offered = Update(source=found.url, deployment=found.id)
        return Offered(self.offered)

    @property
    def poll_after(self) -> float:
        """When the server, which has nothing now, wants to be asked [s]; 0 if it does not say."""
        return self.server.poll_after if self.server and self.poll_error is None else 0.0

    def note_end(self, update: Update) -> None:
        """Remember whether a deployment has failed, before anybody is told."""
        if update.is_standalone:
            return
        is_offered = self.offered is not None and self.offered.deployment == update.deployment
        name = update.artifact.name if update.artifact else self._artifact if is_offered else ""
        digest = update.artifact.digest if update.artifact else self._digest if is_offered else ""
        if update.reason:
            self.failures.note(update.deployment, name, update.reason, digest=digest)
        else:
            self.failures.forget(update.deployment, name, digest=digest)

    def require_new(self, update: Update, digest: str) -> None:
        """Pass unless the artifact that the server gives has failed too often, by any name.

        Args:
            digest: SHA-256 of its manifest.

        Raises:
            AgentError: it has; nothing of it but its header was fetched.
        """
        if update.is_standalone:
            return
        self._digest = digest
        held = self.failures.held_digest(digest)
        if held is not None:
            failure, left = held
            raise AgentError(
                f"the artifact has failed {failure.count} times, and is not tried again for"
                f" {left:.0f} s: {failure.reason}"
            )

    def _tell_again(self, found: "Deployment", failure: Failure, left: float) -> None:
        """Tell the server how a deployment ended that it offers again; the log only once."""
        update = Update(source=found.url, deployment=found.id, reason=failure.reason)
        self.log.open(found.id)
        try:
            logger.warning(
                "deployment %s is not tried again for %.0f s, since it has failed %d times: %s",
                found.id,
                left,
                failure.count,
                failure.reason,
            )
            if self.server is not None and self._told_again != found.id:
                self.server.send_log(found.id, self.log.lines())
                self._told_again = found.id
            self.report(update, "failure", failure.reason)
        except AgentError as error:
            logger.warning("could not tell the server so: %s", error)
        finally:
            self.log.close()

    def renew(self, update: Update, patience: float) -> Address | None:
        """Ask for the address that the server gives for the update now; None if it gives none.

        As long as the server is out of reach, too, something else may have answered in place of
        both, such as a captive portal.

        Args:
            patience: how long the server is waited for [s].

        Raises:
            Aborted: the update is not wanted any more.
        """
        if update.is_standalone:
            return None
        end, failures = self.clock() + patience, 0
        while True:
            try:
                found = self._next_deployment()
                return found.url if found is not None and found.id == update.deployment else None
            except AgentError as error:
                failures += 1
                again = _delay(failures, error)
                if not isinstance(error, Unreachable) or self.clock() + again > end:
                    logger.warning("the server gives no new address: %s", error)
                    return None
                text = "download: the server is asked for a new address in %.0f s: %s"
                logger.warning(text, again, error)
            self.controls.wait(again)
            self.controls.check()

    def _next_deployment(self) -> "Deployment | None":
        if self.server is None:
            return None
        return self.server.next_deployment(self.store.provides, self.device_type)

    def report(self, update: Update, status: str, substate: str = "") -> None:
        """Tell the server, once; it does not matter whether it can be reached.

        Raises:
            Aborted: it no longer wants the update.
        """
        if self.server is None or update.is_standalone:
            return
        try:
            said = self.log.redacted(substate)  # a health check's words may be in it
            self.server.report(update.deployment, status, said)
        except Aborted:
            raise
        except AgentError as error:
            logger.warning("could not report %s to the server: %s", status, error)

    def report_end(self, update: Update, status: str) -> None:
        """Tell the server how the update ended, however long it is away."""
        server = self.server
        if server is None or update.is_standalone:
            return
        self._tell_patiently(status, lambda: server.report(update.deployment, status))
        if self.store.text(_AWAY):
            self.store.put(_AWAY, "")

    def reach(self, update: Update, status: str, waiting: Callable[[], None]) -> None:
        """Tell the server from a new system, or wait for it as long as the policy says.

        Args:
            waiting: called once, before the first wait.

        Raises:
            AgentError: it was not reached, or no longer wants the update.
        """
        if self.server is None or update.is_standalone:
            return
        self.server.forget_token()  # the new system may have another key, or identity
        began = self.clock() - self.store.number(_AWAY)
        failures, is_waiting = 0, False
        while True:
            self.controls.check()
            try:
                self.server.report(update.deployment, status)
                return
            except Aborted:
                raise
            except AgentError as error:
                unreachable = self.clock() - began
                self.store.put(_AWAY, f"{unreachable:.0f}")
                decision = decide(self.commit, unreachable)
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

    def wait_while_paused(
        self, update: Update, before: PausePoint, waiting: Callable[[], None]
    ) -> None:
        """Wait while the update is paused before a state.

        Args:
            waiting: called once, before the wait.

        Raises:
            AgentError: the update is no longer wanted.
        """

        def refresh() -> None:
            if self.server is not None:
                value = self.server.control_map(update.deployment)
                self.controls.set_server_map(update.deployment, value)

        def paused(before: PausePoint, by: str) -> None:
            waiting()
            self.paused(before, by)
            self.report(update, _PAUSED[before])

        try:
            self.controls.wait_while_paused(before, refresh=refresh, paused=paused)
        finally:
            self.paused("", "")

    def send_log(self, update: Update) -> None:
        """Give the server the log of the deployment; it does not matter whether it can be."""
        server = self.server
        if server is None or update.is_standalone:
            return
        try:
            since = self.store.number(boot_log.BOOTS)
            why = self.boot.why() if self.boot else ""
            boots = boot_log.collect(
                self.boot_log,
                boots_since=since,
                rollback=why,
                is_brief=not self.log.sends_journal,
            )
            if self.boot and (end := self.boot.ended()):
                boots.insert(0, f"the trial was ended: {end}")
        except (AgentError, OSError) as error:
            boots = [f"no log of boots: {error}"]
        self._tell_patiently(
            "the log", lambda: server.send_log(update.deployment, self.log.lines(boots))
        )

    def _tell_patiently(self, what: str, tell: Callable[[], None]) -> None:
        """Tell the server something that it has to know, however long it is away."""
        end, failures, refusals = self.clock() + _END, 0, 0
        while True:
            failures += 1
            try:
                with heeding(self._require_patience):
                    tell()
                return
            except Aborted as error:
                logger.warning("the server rejected %s: %s", what, error)
                return
            except AgentError as error:
                again = _delay(failures, error)
                refusals += not isinstance(error, Unreachable)
                if refusals >= _REFUSALS or self.clock() + again > end:
                    logger.error("the server was never told %s: %s", what, error)
                    return
                level = logging.INFO if isinstance(error, Unreachable) else logging.WARNING
                text = "could not tell the server %s, trying again in %.0f s: %s"
                logger.log(level, text, what, again, error)
            (self.sleep or self.hurry.wait)(again)  # an abort is now of no use
            if self.hurry.is_set():
                logger.warning("the server is not told %s: another install is wanted", what)
                return

    def _require_patience(self) -> None:
        if self.hurry.is_set():
            raise Unreachable("another install is wanted")


def _delay(failures: int, error: AgentError) -> float:
    """Until the next try [s]."""
    asked = error.retry_after if isinstance(error, Unreachable) else 0.0
    return spread(
        doubled(*_AGAIN, failures),
        share=_SPREAD,
        chance=random.SystemRandom().random(),
        asked=min(asked, _ASKED),
    )
