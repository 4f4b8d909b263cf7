# SPDX-License-Identifier: Apache-2.0
"""Puts the agent together from its settings."""

import logging
import random
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ota_agent.admission.downgrade import check_downgrade, check_has_version
from ota_agent.admission.keys import load_keys
from ota_agent.api.status import LiveStatus
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.booting import boot_of
from ota_agent.config.settings import Settings
from ota_agent.control.controls import Controls
from ota_agent.device.device_type import device_type_of
from ota_agent.download.source.retry import Surroundings
from ota_agent.engine.agent import Agent, observer
from ota_agent.engine.performer import Device, DevicePerformer
from ota_agent.engine.runtime import Runtime, boot_id
from ota_agent.errors import AgentError
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.provides import GROUP, NAME
from ota_agent.lifecycle.states import Committed, Idle, State
from ota_agent.lifecycle.update import ROOTFS, Update
from ota_agent.memory.bootstrap import opened_store
from ota_agent.memory.store import Store
from ota_agent.payloads import Installer
from ota_agent.payloads.scripts import Scripts
from ota_agent.server.deployment_log import DeploymentLog
from ota_agent.server.deployments import Headquarters
from ota_agent.trial import boot_log
from ota_agent.trial.health import check_health

if TYPE_CHECKING:
    import urllib3

    from ota_agent.download.fetch import Progress
    from ota_agent.server.client import Server
    from ota_artifact.header import Header

logger = logging.getLogger(__name__)

_BOOTS = "boots"
"""Of the store: the number of the boot whose log was kept last, when an update was installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What others than the runtime need of an assembled agent."""

    settings: Settings
    live: LiveStatus
    controls: Controls
    server: "Server | None"
    headquarters: Headquarters
    device_type: str

    @contextmanager
    def served(self, *daemon: object) -> Iterator[None]:
        """Serve the device API meanwhile; without a daemon, the calls that need none."""
        from ota_agent.api.server import ApiServer
        from ota_agent.api.standalone import StandaloneCommands

        targets = (*daemon, StandaloneCommands(self.controls, self.live))
        with ApiServer(self.settings.device.socket, self.settings.api, self.live, *targets):
            yield


def assembled(
    settings: Settings, *, stop_before: Container[type[State]] = ()
) -> tuple[Agent, Parts]:
    """The agent; the caller holds the ownership, and closes its store.

    What an install alone needs is imported by the first one: a daemon waits all its life, and may
    never install.

    Raises:
        AgentError: something is missing that it cannot do without.
    """
    with opened_store(settings.device):
        pass  # with what the device provided at first
    store = Store(settings.device.store)
    try:
        return _assembled(settings, store, stop_before)
    except BaseException:
        store.close()
        raise


def _assembled(
    settings: Settings, store: Store, stop_before: Container[type[State]]
) -> tuple[Agent, Parts]:
    device_type = device_type_of(settings.device)
    boot = boot_of(settings.device)
    live, log = LiveStatus(), DeploymentLog(settings.log)
    controls = Controls(settings.control, store)
    pool = _pool(settings)
    server = _server(settings, pool)

    def doing(script: str) -> None:
        live.change(doing=script)

    scripts = Scripts(settings.scripts, check=controls.check, tell=doing)

    def paused(before: str, by: str) -> None:
        live.change(waits_for=before, paused_by=by)

    def boot_lines() -> list[str]:
        since = int(store.text(_BOOTS) or "0")
        why = boot.why() if boot else ""
        return boot_log.collect(settings.boot_log, boots_since=since, rollback=why)

    headquarters = Headquarters(
        server=server,
        controls=controls,
        store=store,
        log=log,
        gate=settings.commit,
        device_type=device_type,
        boot_lines=boot_lines,
        paused=paused,
    )
    parts = Parts(
        settings=settings,
        live=live,
        controls=controls,
        server=server,
        headquarters=headquarters,
        device_type=device_type,
    )

    def installer(kind: str, number: int) -> Installer:
        from ota_agent.payloads.module import UpdateModule

        return UpdateModule(kind, number, settings.modules)

    def begun(header: "Header", number: int) -> Installer:
        from ota_agent.payloads.module import UpdateModule
        from ota_agent.payloads.tree import About

        now = store.provides
        about = About(now.get(NAME, ""), now.get(GROUP, ""), device_type)
        module = UpdateModule(header.payloads[number].type or "", number, settings.modules, about)
        module.begin(header)
        return module

    def accepted(header: "Header") -> None:
        if settings.keys.forbid_downgrade:
            has_rootfs = any(each.type == ROOTFS for each in header.payloads)
            key = settings.keys.version
            check_has_version(header.provides, has_rootfs=has_rootfs, key=key)
            check_downgrade(header.provides, store.provides, key)

    def fetched(update: Update) -> Fetched:
        from ota_agent.download.fetch import FetchParts, fetch
        from ota_agent.download.pace import Pace

        pace = Pace()
        store.put(_BOOTS, str(boot_log.newest(settings.boot_log)))
        return fetch(
            update,
            FetchParts(
                options=settings.download,
                pool=pool,
                store=store,
                keys=load_keys(settings.keys),
                device_type=device_type,
                provides=store.provides,
                scripts=scripts,
                installer=begun,
                target=boot.target if boot else None,
                progress=lambda progress: _show(live, progress, pace.of(progress.received)),
                surroundings=Surroundings(
                    clock=time.monotonic,
                    now=time.time,
                    sleep=controls.wait,
                    random=random.SystemRandom().random,
                    check=controls.check,
                ),
                accept=accepted,
            ),
        )

    def left() -> tuple[Installer, ...]:
        from ota_agent.payloads.module import modules_left

        return modules_left(settings.modules)

    device = Device(
        store=store,
        boot=boot,
        scripts=scripts,
        installer=installer,
        fetch=fetched,
        check_health=lambda: check_health(settings.commit),
        most_waits=settings.commit.power_cuts,
        left=left,
    )
    tell = observer(live, log, controls, lambda: store.provides.get(NAME, ""))

    def observe(state: State) -> None:
        tell(state)
        if isinstance(state, Idle):
            headquarters.hurry.clear()
        if isinstance(state, Committed):
            boot_log.stop(settings.boot_log)  # the trial is over

    runtime = Runtime(
        store,
        DevicePerformer(device, headquarters),
        boot_id(settings.device.boot_id),
        observe,
        stop_before=stop_before,
    )
    live.change(
        state=type(runtime.state).__name__,
        installed=store.provides.get(NAME, ""),
        running_slot=_running(boot),
        is_enabled=controls.is_enabled,
        window=controls.window,
    )
    return Agent(store=store, runtime=runtime, live=live, log=log), parts


def _show(live: LiveStatus, progress: "Progress", rate: float) -> None:
    live.change(
        rate=float(rate),
        artifact=progress.artifact,
        slot=progress.slot,
        size=progress.total or progress.size,
        done=progress.read if progress.total else progress.done,
        note=progress.event,
    )


def _running(boot: Boot | None) -> str:
    try:
        return boot.running().name if boot else ""
    except AgentError as error:
        logger.warning("%s", error)
        return ""


def _pool(settings: Settings) -> "Callable[[], urllib3.PoolManager]":
    """Makes the connections when they are first needed: until then they cost no memory."""
    made: list[urllib3.PoolManager] = []

    def pool() -> "urllib3.PoolManager":
        if not made:
            from ota_agent.server import http

            made.append(http.pool(settings.tls, timeout=settings.download.inactivity))
        return made[0]

    return pool


def _server(settings: Settings, pool: "Callable[[], urllib3.PoolManager]") -> "Server | None":
    if not settings.server.urls:
        return None
    from ota_agent.server import attributes
    from ota_agent.server.client import Server
    from ota_agent.server.key import DeviceKey
    from ota_agent.server.lazy import LazyPool

    return Server(
        settings.server,
        cast("urllib3.PoolManager", LazyPool(pool)),
        DeviceKey(settings.key),
        lambda: attributes.identity(settings.attributes.identity),
    )
