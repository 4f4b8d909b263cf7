# SPDX-License-Identifier: Apache-2.0
"""Carries out actions on this device."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from ota_agent.admission.acceptance import check_acceptance
from ota_agent.admission.downgrade import versions_in
from ota_agent.api.status import LiveStatus
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import is_trial, trial_of
from ota_agent.config.settings import Settings
from ota_agent.device import clock
from ota_agent.device.device_type import device_type_of
from ota_agent.device.reboot import require_reboot
from ota_agent.download.source.retry import Surroundings
from ota_agent.engine.floor import FloorKeeper
from ota_agent.engine.installers import Installers
from ota_agent.engine.runtime import RebootWanted
from ota_agent.errors import AgentError, NotGiven
from ota_agent.hurry import heeding
from ota_agent.lifecycle import actions as a
from ota_agent.lifecycle import provides
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.events import Answered, Event, Fetched, Trial
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.bootstrap import look
from ota_agent.memory.runs import committed
from ota_agent.memory.store import Store
from ota_agent.memory.trusted_time import trusted_time
from ota_agent.payloads import Installer, Reboot
from ota_agent.payloads.scripts import Scripts
from ota_agent.server.deployments import Deployments
from ota_agent.trial import boot_log
from ota_agent.trial.health import check_health
from ota_agent.trial.room import prove_room
from ota_artifact.errors import ProgramError
from ota_artifact.json_text import parse_any
from ota_artifact.provides import ROOTFS

if TYPE_CHECKING:
    import urllib3

    from ota_artifact.header import Header

logger = logging.getLogger(__name__)

_REBOOTS = "reboots"
"""Of the store: what each payload wanted when it was asked last."""

_WANTED: Mapping[str, Reboot] = {"no": "no", "automatic": "automatic", "custom": "custom"}

_WAITS = "waits"
"""Of the store: how often a healthy trial has waited, and was given one boot more."""

_ABORTABLE = s.Downloading | s.Downloaded | s.Installing | s.Rebooting | s.Trying
"""Until it is committed, an update may be aborted."""

_UNVERIFIED = (
    "install: %s: NOT VERIFIED: no key is configured, so the artifact may come from anyone;"
    " `ota-agent setup --key FILE` configures one"
)

_OF_REBOOTS = ("ArtifactReboot", "ArtifactVerifyReboot", "ArtifactVerifyRollbackReboot")
"""Calls that concern only what needs a reboot, and the root filesystem."""

_BY_ITSELF = ("ArtifactReboot", "ArtifactRollbackReboot")
"""Calls that concern only what reboots by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePerformer:
    """Carries actions out on a device. See `runtime.Performer`.

    Attributes:
        boot: None if this device has no slots, and takes only update modules.
        pool: gives the connections to servers.
    """

    settings: Settings
    store: Store
    boot: Boot | None
    device_type: str
    live: LiveStatus
    scripts: Scripts
    installers: Installers
    deployments: Deployments
    floor: FloorKeeper
    pool: "Callable[[], urllib3.PoolManager]"

    def perform(self, action: a.Action, state: s.State) -> Event | None:
        """See `runtime.Performer`."""
        if isinstance(state, s.Idle | s.Syncing):
            return self._without_update(action, state)
        if not isinstance(state, _ABORTABLE):
            return self._in_update(action, state)
        check = self.deployments.controls.check
        check()
        with heeding(check):
            return self._in_update(action, state)

    def _in_update(self, action: a.Action, state: s.UnderWay) -> Event | None:
        update = state.update
        match action:
            case a.RunScripts():
                self._run_scripts(update, action)
            case a.Report(status) if isinstance(state, s.Reporting):
                self.deployments.report_end(update, status)
            case a.Report(status, must_reach=True):
                self.deployments.reach(update, status, self._rearm)
            case a.Report(status):
                self.deployments.report(update, status)
            case a.Fetch():
                return self._fetch(update)
            case a.WaitWhilePaused(before):
                waiting = self._rearm if isinstance(state, s.Trying) else lambda: None
                self.deployments.wait_while_paused(update, before, waiting)
            case a.CallPayloads("Cleanup"):
                self.store.put(_REBOOTS, "")
                _each((*self.installers.failed(update), *self.installers.left()), "Cleanup")
            case a.CallPayloads("ArtifactRollback"):
                self._roll_back(update)
            case a.CallPayloads(call):
                self._call(update, call)
            case a.Ask():
                return self._ask(update)
            case a.CheckHealth():
                self._check_health(update)
            case a.Reboot():
                self._reboot(update, is_back=isinstance(state, s.RebootingBack))
            case a.SaveProvides():
                self._save_provides(update)
            case a.SendLog():
                self.deployments.send_log(update)
            case a.Poll():
                raise AssertionError("a poll during an update")
            case _:
                assert_never(action)
        return None

    def trial(self, state: s.State) -> tuple[Trial, str]:
        """See `runtime.Performer`."""
        boot = self.boot
        if not isinstance(state, s.UnderWay) or boot is None or not state.update.target:
            return "none", ""
        running, target = boot.running(), state.update.target
        try:
            environment = boot.bootloader.read()
        except AgentError as error:  # a trial fails later, and the bootloader rolls it back
            return ("running", "") if running.name == target else ("rolled-back", str(error))
        found = trial_of(boot.slots, running, target, environment)
        if found != "rolled-back":
            return found, ""
        since = self.store.number(boot_log.BOOTS)
        end = boot_log.ended(self.settings.boot_log, boots_since=since) or boot.ended()
        text = f"the bootloader went back to slot {running.name}{boot_log.meaning(boot.why())}"
        return found, f"{text}: {end}" if end else text

    def _without_update(self, action: a.Action, state: s.State) -> Event | None:
        match action:
            case a.RunScripts(name, moment, is_ignored):
                self.scripts.run(name, moment, is_ignored=is_ignored)
                return None
            case a.Poll():
                return self.deployments.poll()
        raise AssertionError(f"{action} in {state}")

    def _fetch(self, update: Update) -> Fetched:
        """Fetch it; if its address is no longer good, once more from a new one."""
        try:
            return self._fetch_once(update)
        except NotGiven as error:
            source = self.deployments.renew(update, self.settings.download.no_progress)
            if source is None:
                raise
            logger.info("download: %s: continuing at the address that the server gives now", error)
            return self._fetch_once(replace(update, source=source))

    def _fetch_once(self, update: Update) -> Fetched:
        """Fetch it, from the checkpoint on if there is one; what that needs is imported late."""
        from ota_agent.download.fetch import Fetch, Progress

        def show(progress: Progress) -> None:
            self.live.change(
                rate=progress.rate,
                artifact=progress.artifact,
                slot=progress.slot,
                size=progress.total or progress.size,
                done=progress.read if progress.total else progress.done,
                note=progress.event,
            )

        controls = self.deployments.controls
        keys = self.floor.ring.good(least=self._least)
        if not keys:
            logger.warning(_UNVERIFIED, update.source)
        self.store.put(boot_log.BOOTS, str(boot_log.newest(self.settings.boot_log)))
        fetch = Fetch(
            update,
            options=self.settings.download,
            pool=self.pool,
            memory=self.store,
            keys=keys,
            accept=lambda header, artifact: self._accept(update, header, artifact),
            begin=self.installers.begin,
            keep_head=self.installers.evidence.keep,
            store_scripts=self.scripts.store,
            progress=show,
            surroundings=Surroundings(
                sleep=controls.wait, check=controls.check, is_by_hand=update.is_standalone
            ),
        )
        return fetch.run()

    def _least(self) -> float:
        """The time that it is at least, whatever the clock says [s since 1970]."""
        return max(clock.floor(), trusted_time(self.store))

    def _accept(self, update: Update, header: "Header", artifact: Artifact) -> None:
        self.deployments.require_new(update, artifact.digest)
        provided = self.store.provides
        device_type = self.device_type or device_type_of(self.settings.device)
        check_acceptance(header, device_type, provided)
        has_rootfs = any(each.type == ROOTFS for each in header.payloads)
        if has_rootfs:
            prove_room(self.settings.device.data)  # its trial would fail without
            require_reboot(self.settings.device)
        self.floor.ring.check_use(artifact.key, header)
        self.floor.check(header)

    def _run_scripts(self, update: Update, action: a.RunScripts) -> None:
        name = action.state

        def report(substate: str) -> None:
            if name.startswith("Artifact"):
                status = "rebooting" if name == "ArtifactReboot" else "installing"
                self.deployments.report(update, status, substate)

        self.scripts.run(name, action.moment, is_ignored=action.is_ignored, report=report)

    def _check_health(self, update: Update) -> None:
        if update.target:
            prove_room(self.settings.device.data)
            self.floor.ring.good()  # with none that is good, this would be the last update
        check_health(self.settings.commit)

    def _rearm(self) -> None:
        """Have a healthy trial that waits survive a power cut; a loop of them has an end."""
        boot = self.boot
        if boot is None or not is_trial(boot.bootloader.read()):
            return
        waits = self.store.number(_WAITS)
        if waits >= self.settings.commit.power_cuts:
            logger.warning("a power cut from now on ends the trial: it has waited %d times", waits)
            return
        self.store.put(_WAITS, str(waits + 1))
        boot.rearm()
        logger.info("trial: is healthy, and waits; a power cut does not end it (%d)", waits + 1)

    def _call(self, update: Update, call: a.Call) -> None:
        if call == "ArtifactInstall":
            if update.artifact and update.has_rootfs and self.boot:
                node = self.boot.slots.of(update.target).node
                self.installers.evidence.check_slot(update.artifact, node)
            self.store.put(_WAITS, "")
            self.store.forget_slot(update.target)
        reboots = self._reboots()
        for number, installer in self.installers.of(update):
            wanted = reboots.get(number, "automatic")
            if call in _OF_REBOOTS and wanted == "no" and not installer.slot:
                continue
            if call in _BY_ITSELF and wanted != "custom":
                continue
            installer.call(call)

    def _roll_back(self, update: Update) -> None:
        """Roll back all that can be, the last module first, and then the root filesystem."""
        backwards = (each for _, each in reversed(self.installers.of(update)))
        in_order = sorted(backwards, key=lambda each: bool(each.slot))
        _each(in_order, "ArtifactRollback", lambda each: each.can_roll_back())

    def _ask(self, update: Update) -> Answered:
        reboots: dict[int, Reboot] = {}
        can_roll_back = True
        for number, installer in self.installers.of(update):
            reboots[number] = installer.wants_reboot()
            can_roll_back = installer.can_roll_back() and can_roll_back
        self.store.put(_REBOOTS, json.dumps(reboots))
        return Answered(any(each != "no" for each in reboots.values()), can_roll_back)

    def _reboots(self) -> dict[int, Reboot]:
        """What each payload wanted; as a root filesystem does, if that is damaged."""
        text = self.store.text(_REBOOTS)
        try:
            return {
                int(number): _WANTED[wanted] for number, wanted in parse_any(text or "{}").items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            logger.error("which payloads need a reboot is damaged (%r): the device reboots", error)
            return {}

    def _reboot(self, update: Update, *, is_back: bool) -> None:
        reboots = self._reboots() or {0: "automatic"}
        is_on_trial = self.boot is not None and self.boot.running().name == update.target
        if "automatic" in reboots.values() or (is_back and is_on_trial):
            raise RebootWanted(is_manual=update.is_manual)

    def _save_provides(self, update: Update) -> None:
        artifact = update.artifact
        if artifact is None:
            return
        merge = provides.after_failure if update.reason else provides.after
        found = merge(artifact, self.store.provides)
        slots = committed(self.store.slots, look(self.boot), found)
        if update.reason:
            self.store.save_provides(found, slots)
            return
        versions = versions_in(artifact.provides, self.settings.keys.version)
        self.store.save_provides(
            found,
            slots,
            floor=self.floor.commit(artifact, may_lower=self._is_proven(artifact)),
            versions={**self.store.versions, **versions},
        )

    def _is_proven(self, artifact: Artifact) -> bool:
        try:
            return self.installers.evidence.proves(artifact)
        except AgentError as error:
            logger.warning("the artifact lowers no floor: %s", error)
            return False


def _each(
    installers: Iterable[Installer],
    call: a.Call,
    wants: Callable[[Installer], bool] = lambda each: True,
) -> None:
    """Call each that wants it; one that fails does not keep the others from it.

    Raises:
        AgentError: some have failed.
    """
    failures = []
    for installer in installers:
        try:
            if wants(installer):
                installer.call(call)
        except (AgentError, ProgramError, OSError) as error:
            failures.append(str(error))
    if failures:
        raise AgentError("; ".join(failures))
