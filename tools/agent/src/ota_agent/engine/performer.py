# SPDX-License-Identifier: Apache-2.0
"""Does on this device what the actions say."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from ota_agent.address import Address
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import is_trial, trial_of
from ota_agent.engine.runtime import Restarting
from ota_agent.errors import AgentError, NotGiven
from ota_agent.lifecycle import provides
from ota_agent.lifecycle.actions import (
    Action,
    Ask,
    Call,
    CallPayloads,
    CheckHealth,
    Fetch,
    Pass,
    Poll,
    Report,
    Restart,
    RunScripts,
    SaveProvides,
    SendLog,
)
from ota_agent.lifecycle.events import Answered, Event, Fetched, Trial
from ota_agent.lifecycle.states import (
    Downloaded,
    Downloading,
    Idle,
    Installing,
    Rebooting,
    Reporting,
    RestartingBack,
    State,
    Syncing,
    Trying,
)
from ota_agent.lifecycle.update import ROOTFS, Update
from ota_agent.memory.store import Store
from ota_agent.payloads import Installer, Reboot
from ota_agent.payloads.rootfs import RootFilesystem
from ota_agent.payloads.scripts import Scripts
from ota_agent.trial.boot_log import meaning
from ota_artifact.errors import ProgramError

logger = logging.getLogger(__name__)

_REBOOTS = "reboots"
"""Of the store: what each payload wanted when it was asked last."""

_BACKWARDS: frozenset[Call] = frozenset({"ArtifactRollback"})
_OF_RESTARTS: frozenset[Call] = frozenset(
    {"ArtifactReboot", "ArtifactVerifyReboot", "ArtifactVerifyRollbackReboot"}
)
"""Calls that concern only what wants a restart."""

_BY_ITSELF: frozenset[Call] = frozenset({"ArtifactReboot", "ArtifactRollbackReboot"})
"""Calls that concern only what restarts itself."""


class Headquarters(Protocol):
    """Where updates come from, and where is told how they went: a server, or nobody."""

    def poll(self) -> Event:
        """`Offered` or `NothingNew`; fails if it cannot be reached."""
        ...

    def renewed(self, update: Update) -> Address | None:
        """The address that it gives for the update now; None if it gives none."""
        ...

    def report(self, update: Update, status: str, substate: str = "") -> None:
        """Tell it, once; that it cannot be reached is no failure.

        Raises:
            Aborted: it does not want the update any more.
        """
        ...

    def tell_the_end(self, update: Update, status: str) -> None:
        """Tell it how the update ended, with all patience."""
        ...

    def pass_gate(self, update: Update, status: str, waiting: Callable[[], None]) -> None:
        """Reach it, or wait for it as long as the policy says; ``waiting`` once before that.

        Raises:
            AgentError: it was not reached, or does not want the update any more.
        """
        ...

    def pass_pause(self, update: Update, action: Pass, waiting: Callable[[], None]) -> None:
        """Wait while somebody pauses the update there; ``waiting`` once before that.

        Raises:
            AgentError: somebody does not want the update any more.
        """
        ...

    def check(self) -> None:
        """Pass while nobody wants the update gone.

        Raises:
            AgentError: somebody does.
        """
        ...

    def send_log(self, update: Update) -> None:
        """Give it the log of the deployment; that it cannot be reached is no failure."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the performer works on.

    Attributes:
        boot: None if this device has no slots, and takes update modules alone.
        installer: makes that of a payload, by type and number.
        fetch: reads the artifact of an update, and stores its payloads.
        check_health: raises if the running system is not healthy.
        most_waits: how often a healthy trial that waits may be booted once more.
        left: those of all payloads that were begun, also by a download that failed.
    """

    store: Store
    boot: Boot | None
    scripts: Scripts
    installer: Callable[[str, int], Installer]
    fetch: Callable[[Update], Fetched]
    check_health: Callable[[], None]
    most_waits: int
    left: Callable[[], tuple[Installer, ...]]


class DevicePerformer:
    """Carries actions out on a device. See `runtime.Performer`."""

    def __init__(self, device: Device, headquarters: Headquarters) -> None:
        self._device, self._headquarters = device, headquarters

    def perform(self, action: Action, state: State) -> Event | None:
        """See `runtime.Performer`."""
        if isinstance(state, Idle | Syncing):
            return self._without_update(action, state)
        update = state.update
        if isinstance(state, Downloading | Downloaded | Installing | Rebooting | Trying):
            self._headquarters.check()  # until it is committed, somebody may want it gone
        match action:
            case RunScripts():
                self._run_scripts(update, action)
            case Report(status) if isinstance(state, Reporting):
                self._headquarters.tell_the_end(update, status)
            case Report(status, is_gate):
                self._report(update, status, is_gate=is_gate)
            case Fetch():
                return self._fetch(update)
            case Pass():
                self._headquarters.pass_pause(update, action, self._waiting(state))
            case CallPayloads(call, _):
                self._call(update, call)
            case Ask():
                return self._ask(update)
            case CheckHealth():
                self._device.check_health()
            case Restart():
                self._restart(update, is_back=isinstance(state, RestartingBack))
            case SaveProvides():
                self._save_provides(update)
            case SendLog():
                self._headquarters.send_log(update)
            case Poll():
                raise AssertionError("a poll during an update")
            case _:
                assert_never(action)
        return None

    def trial(self, state: State) -> tuple[Trial, str]:
        """See `runtime.Performer`."""
        update = getattr(state, "update", None)
        boot = self._device.boot
        if update is None or boot is None or not update.target:
            return "none", ""
        running = boot.running()
        try:
            environment = boot.bootloader.read()
        except AgentError as error:  # a trial goes on to fail, and the bootloader takes it back
            return ("running", "") if running.name == update.target else ("rolled-back", str(error))
        found = trial_of(boot.slots, running, update.target, environment)
        why = boot.why() if found == "rolled-back" else ""
        return found, f"the bootloader went back to slot {running.name}{meaning(why)}"

    def _without_update(self, action: Action, state: State) -> Event | None:
        match action:
            case RunScripts(name, moment, is_ignored):
                self._device.scripts.run(name, moment, is_ignored=is_ignored)
                return None
            case Poll():
                return self._headquarters.poll()
        raise AssertionError(f"{action} in {state}")

    def _fetch(self, update: Update) -> Fetched:
        """Fetch it; if its address is not good any more, once more from a new one."""
        try:
            return self._device.fetch(update)
        except NotGiven as error:
            source = self._headquarters.renewed(update)
            if source is None:
                raise
            logger.info("download: %s: going on at the address that the server gives now", error)
            return self._device.fetch(replace(update, source=source))

    def _run_scripts(self, update: Update, action: RunScripts) -> None:
        name = action.state

        def report(substate: str) -> None:
            if not update.is_standalone and name.startswith("Artifact"):
                status = "rebooting" if name == "ArtifactReboot" else "installing"
                self._headquarters.report(update, status, substate)

        scripts = self._device.scripts
        scripts.run(name, action.moment, is_ignored=action.is_ignored, report=report)

    def _report(self, update: Update, status: str, *, is_gate: bool) -> None:
        if is_gate:
            self._headquarters.pass_gate(update, status, self._count_anew)
        else:
            self._headquarters.report(update, status)

    def _waiting(self, state: State) -> Callable[[], None]:
        """What is done before a wait: a trial that waits is worth a power cut or a few."""
        return self._count_anew if isinstance(state, Trying) else lambda: None

    def _count_anew(self) -> None:
        boot, store = self._device.boot, self._device.store
        if boot is None or not is_trial(boot.bootloader.read()):
            return
        waits = int(store.text(_WAITS) or "0")
        if waits >= self._device.most_waits:
            logger.warning("a power cut from now on ends the trial: it has waited %d times", waits)
            return
        store.put(_WAITS, str(waits + 1))
        boot.count_anew()
        logger.info("trial: is healthy, and waits; a power cut does not end it (%d)", waits + 1)

    def _installers(self, update: Update) -> list[tuple[int, Installer | RootFilesystem]]:
        """Of each payload, by its number; the root filesystem last, since its install is all's."""
        found: list[tuple[int, Installer | RootFilesystem]] = []
        last: list[tuple[int, Installer | RootFilesystem]] = []
        for number, kind in enumerate(update.artifact.types if update.artifact else ()):
            if kind == ROOTFS:
                last.append((number, self._root_filesystem(update)))
            elif kind is not None:
                found.append((number, self._device.installer(kind, number)))
        return found + last

    def _root_filesystem(self, update: Update) -> RootFilesystem:
        boot = self._device.boot
        if boot is None:
            raise AgentError("this device has no slots, and the artifact holds a root filesystem")
        return RootFilesystem(boot, boot.slots.of(update.target))

    def _call(self, update: Update, call: Call) -> None:
        if call == "Cleanup":
            self._clean_up()
            return
        installers = self._installers(update)
        if call in _BACKWARDS:
            modules = [each for each in installers if not isinstance(each[1], RootFilesystem)]
            installers = modules[::-1] + installers[len(modules) :]
        if call == "ArtifactInstall":
            self._device.store.put(_WAITS, "")
        if call == "ArtifactRollback":
            self._roll_back([each for _, each in installers])
            return
        reboots = self._reboots()
        for number, installer in installers:
            wanted = reboots.get(number, "automatic")
            is_slot = isinstance(installer, RootFilesystem)
            if call in _OF_RESTARTS and wanted == "no" and not is_slot:
                continue
            if call in _BY_ITSELF and wanted != "custom":
                continue
            installer.call(call)

    def _roll_back(self, installers: list[Installer | RootFilesystem]) -> None:
        """All that can be; one that fails does not keep the others from it, the slot least."""
        failures = []
        for installer in installers:
            try:
                if isinstance(installer, RootFilesystem) or installer.can_roll_back():
                    installer.call("ArtifactRollback")
            except (AgentError, ProgramError, OSError) as error:
                failures.append(str(error))
        if failures:
            raise AgentError("; ".join(failures))

    def _clean_up(self) -> None:
        """Of every payload that was begun; one that fails does not keep the others from it."""
        self._device.store.put(_REBOOTS, "")
        failures = []
        for installer in self._device.left():
            try:
                installer.call("Cleanup")
            except (AgentError, ProgramError, OSError) as error:
                failures.append(str(error))
        if failures:
            raise AgentError("; ".join(failures))

    def _ask(self, update: Update) -> Answered:
        reboots: dict[int, Reboot] = {}
        can_roll_back = True
        for number, installer in self._installers(update):
            if isinstance(installer, RootFilesystem):
                reboots[number] = "automatic" if installer.wants_reboot() else "no"
            else:
                reboots[number] = installer.wants_reboot()
                can_roll_back = installer.can_roll_back() and can_roll_back
        self._device.store.put(_REBOOTS, json.dumps(reboots))
        return Answered(any(each != "no" for each in reboots.values()), can_roll_back)

    def _reboots(self) -> dict[int, Reboot]:
        text = self._device.store.text(_REBOOTS)
        return {int(number): wanted for number, wanted in json.loads(text or "{}").items()}

    def _restart(self, update: Update, *, is_back: bool) -> None:
        reboots = self._reboots() or {0: "automatic"}
        boot = self._device.boot
        is_on_trial = boot is not None and boot.running().name == update.target
        if "automatic" in reboots.values() or (is_back and is_on_trial):
            raise Restarting(is_manual=update.is_manual)

    def _save_provides(self, update: Update) -> None:
        if update.artifact is None:
            return
        merge = provides.after_failure if update.reason else provides.after
        store = self._device.store
        store.save_provides(merge(update.artifact, store.provides))


_WAITS = "waits"
"""Of the store: how often a healthy trial has waited, and was given one boot more."""
