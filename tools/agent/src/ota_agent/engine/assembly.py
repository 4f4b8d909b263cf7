# SPDX-License-Identifier: Apache-2.0
"""Puts the agent together from its settings."""

import logging
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ota_agent.api.status import LiveStatus
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import is_trial
from ota_agent.bootloader.find import boot_of
from ota_agent.config.settings import Settings
from ota_agent.control.controls import Controls
from ota_agent.device.device_type import find_device_type
from ota_agent.device.private import keep_private
from ota_agent.device.second_home import data_state
from ota_agent.device.started import bootloader
from ota_agent.engine.agent import Agent
from ota_agent.engine.floor import FloorKeeper
from ota_agent.engine.installers import Installers
from ota_agent.engine.observer import StateObserver
from ota_agent.engine.performer import DevicePerformer
from ota_agent.engine.runtime import Runtime, boot_id
from ota_agent.engine.stray import StrayTrial
from ota_agent.engine.warnings import Warnings
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import (
    Cleaning,
    Committed,
    Failing,
    Idle,
    Reporting,
    State,
    UnderWay,
)
from ota_agent.memory.correct import open_store
from ota_agent.memory.store import Store
from ota_agent.memory.trusted_time import note_time
from ota_agent.payloads.evidence import FOLDER as evidence_folder
from ota_agent.payloads.evidence import Evidence
from ota_agent.payloads.scripts import Scripts
from ota_agent.server.deployment_log import DeploymentLog
from ota_agent.server.deployments import Deployments
from ota_artifact.errors import ProgramError
from ota_artifact.provides import NAME

if TYPE_CHECKING:
    import urllib3

    from ota_agent.server.client import Server

    Pool = Callable[[], urllib3.PoolManager]

logger = logging.getLogger(__name__)

_DEVICE_TYPE = "device type"
"""Of the store: the device type that was known last."""

_SIGNED, _BY_ANYBODY = "signed by", "anybody"
"""Of the store: that the configuration, when all of it could be read, named no key."""


_OVER = Idle | Committed | Failing | Cleaning | Reporting
"""States in which it is decided what is to run."""


@contextmanager
def assemble(
    settings: Settings,
    *,
    stop_before: Container[type[State]] = (),
    may_be_makeshift: bool = False,
) -> Iterator[Agent]:
    """Make the agent, and close its memory at the end; the caller holds the ownership.

    What an install alone needs is imported by the first one: a daemon waits all its life, and may
    never install.

    Args:
        may_be_makeshift: whether it may do without a memory on /data, for a time.

    Raises:
        AgentError: something is missing that it cannot do without.
    """
    keep_private(settings.device.data, settings.boot_log.folder)
    makeshift = ""
    try:
        store = open_store(settings.device)
    except AgentError as error:
        if not may_be_makeshift or not _is_committed(settings):
            raise
        makeshift = f"{error}; until then nothing can be installed"
        logger.error("%s", makeshift)
        store = open_store(replace(settings.device, data=settings.device.run / "memory"))
    with closing(store):
        yield _assemble(settings, store, stop_before, makeshift)


def _is_committed(settings: Settings) -> bool:
    """Whether this is certainly not a trial; a trial that cannot be remembered has to end."""
    try:
        boot = boot_of(settings.device)
        return boot is None or not is_trial(boot.bootloader.read())
    except (AgentError, ProgramError):
        return False


def _assemble(
    settings: Settings, store: Store, stop_before: Container[type[State]], makeshift: str
) -> Agent:
    live = LiveStatus()
    warnings = Warnings(live)
    for each in (*settings.passed_over, *([makeshift] if makeshift else [])):
        warnings.add(str(each))
    device_type = _device_type(settings, store, warnings)
    boot, no_slots = _boot(settings, store, warnings)
    controls = Controls(settings.control, store)
    pool = _pool(settings)
    deployments = Deployments(
        server=_server(settings, store, pool, warnings),
        controls=controls,
        store=store,
        log=DeploymentLog(settings.log),
        commit=settings.commit,
        device_type=device_type,
        boot=boot,
        boot_log=settings.boot_log,
        paused=lambda before, by: live.change(waits_for=before, paused_by=by),
    )
    doubt = _doubt(settings, store)
    floor = FloorKeeper(settings=settings, store=store, boot=boot, doubt=doubt)
    evidence = Evidence(
        settings.device.data / evidence_folder, lambda: floor.ring.known(), floor.check
    )
    installers = Installers(
        settings=settings,
        store=store,
        boot=boot,
        device_type=device_type,
        evidence=evidence,
        ring=floor.ring,
        no_slots=no_slots,
    )
    scripts = Scripts(
        settings.scripts,
        check=controls.check,
        tell=lambda name: live.change(doing=name),
        verify=evidence.check_script,
    )
    performer = DevicePerformer(
        settings=settings,
        store=store,
        boot=boot,
        device_type=device_type,
        live=live,
        scripts=scripts,
        installers=installers,
        deployments=deployments,
        floor=floor,
        pool=pool,
    )
    observer = StateObserver(
        settings=settings,
        store=store,
        live=live,
        deployments=deployments,
        boot=boot,
        floor=floor,
        warnings=warnings,
    )
    boot_now = boot_id(settings.device.boot_id)
    runtime = Runtime(store, performer, boot_now, observer.observe, stop_before=stop_before)
    controls.beat = observer.claim_again
    if isinstance(runtime.state, _OVER):
        observer.settle()
    observer.correct(runtime.state)
    live.change(
        state=type(runtime.state).__name__,
        installed=store.provides.get(NAME, ""),
        running_slot=_running(boot),
        is_enabled=controls.is_enabled,
        window=controls.window,
        bootloader=bootloader(),
        data=data_state(settings.device.run).sentence,
    )
    return Agent(
        settings=settings,
        store=store,
        runtime=runtime,
        live=live,
        deployments=deployments,
        stray=StrayTrial(boot, lambda: runtime.state),
        warnings=warnings,
        makeshift=makeshift,
        no_slots=no_slots,
    )


def _device_type(settings: Settings, store: Store, warnings: Warnings) -> str:
    """As its file says; if that is damaged, as it was before; empty if that is not known either."""
    found = find_device_type(settings.device)
    before = store.text(_DEVICE_TYPE)
    if not found.name:
        why = "; ".join(found.passed_over) or f"{settings.device.data}/device_type: is not there"
        what = f"{before} counts, as before" if before else "no artifact is for this device"
        logger.error("%s", warnings.add(f"{why}: {what}"))
        return before
    for each in found.passed_over:
        logger.error("%s", warnings.add(f"{each}; it is passed over"))
    _keep(store, _DEVICE_TYPE, found.name)
    return found.name


def _boot(settings: Settings, store: Store, warnings: Warnings) -> tuple[Boot | None, str]:
    """The slots, or why there are none.

    Raises:
        AgentError: they are not known, and an update is under way that has to do with one: nobody
            could tell how it went.
    """
    try:
        return boot_of(settings.device), ""
    except AgentError as error:
        state = store.load().state
        if isinstance(state, UnderWay) and state.update.target:
            raise
        logger.error("%s; no root filesystem can be installed", error)
        warnings.add(str(error))
        return None, str(error)


def _doubt(settings: Settings, store: Store) -> str:
    """Why it is not known whether artifacts must be signed; empty if it is, also from before."""
    if settings.doubt:
        return "" if store.text(_SIGNED) == _BY_ANYBODY else settings.doubt
    _keep(store, _SIGNED, "" if settings.keys.keys else _BY_ANYBODY)
    return ""


def _keep(store: Store, name: str, text: str) -> None:
    """Remember it for a time when it cannot be read; a full disk stops nothing."""
    if store.text(name) != text:
        try:
            store.put(name, text)
        except AgentError as error:
            logger.warning("%s is not remembered: %s", name, error)


def _running(boot: Boot | None) -> str:
    try:
        return boot.running().name if boot else ""
    except AgentError as error:
        logger.warning("%s", error)
        return ""


def _pool(settings: Settings) -> "Pool":
    """Makes the connections when they are first needed: until then they cost no memory."""

    @cache
    def pool() -> "urllib3.PoolManager":
        from ota_agent.server import http

        return http.pool(settings.tls, timeout=settings.download.inactivity)

    return pool


def _server(settings: Settings, store: Store, pool: "Pool", warnings: Warnings) -> "Server | None":
    if not settings.server.urls:
        return None
    from ota_agent.server.client import Server
    from ota_agent.server.identity import ACCEPTED, Identity
    from ota_agent.server.key import DeviceKey, replaced

    identity = Identity(settings.attributes.identity, settings.device.data / ACCEPTED)
    key = DeviceKey(settings.key, is_own=settings.has_own_key, tell=warnings.add)
    if said := replaced(settings.key.path):
        warnings.add(said)

    def heard(date: float) -> None:
        if settings.keys.is_any_limited and not settings.tls.skip_verify:
            note_time(store, date)

    return Server(settings.server, pool, key, identity, accepted=identity.keep, heard=heard)
