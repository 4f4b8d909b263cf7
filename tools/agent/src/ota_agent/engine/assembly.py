# SPDX-License-Identifier: Apache-2.0
"""Puts the agent together from its settings."""

import logging
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING

from ota_agent.api.status import LiveStatus
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.find import boot_of
from ota_agent.config.settings import Settings
from ota_agent.control.controls import Controls
from ota_agent.device.device_type import device_type_of
from ota_agent.engine.agent import Agent
from ota_agent.engine.installers import Installers
from ota_agent.engine.observer import StateObserver
from ota_agent.engine.performer import DevicePerformer
from ota_agent.engine.runtime import Runtime, boot_id
from ota_agent.engine.stray import StrayTrial
from ota_agent.errors import AgentError
from ota_agent.lifecycle.provides import NAME
from ota_agent.lifecycle.states import State
from ota_agent.memory.correct import open_store
from ota_agent.memory.store import Store
from ota_agent.payloads.scripts import Scripts
from ota_agent.server.deployment_log import DeploymentLog
from ota_agent.server.deployments import Deployments

if TYPE_CHECKING:
    import urllib3

    from ota_agent.server.client import Server

    Pool = Callable[[], urllib3.PoolManager]

logger = logging.getLogger(__name__)


@contextmanager
def assemble(settings: Settings, *, stop_before: Container[type[State]] = ()) -> Iterator[Agent]:
    """Make the agent, and close its memory at the end; the caller holds the ownership.

    What an install alone needs is imported by the first one: a daemon waits all its life, and may
    never install.

    Raises:
        AgentError: something is missing that it cannot do without.
    """
    with closing(open_store(settings.device)) as store:
        yield _assemble(settings, store, stop_before)


def _assemble(settings: Settings, store: Store, stop_before: Container[type[State]]) -> Agent:
    device_type, boot = device_type_of(settings.device), boot_of(settings.device)
    live, controls = LiveStatus(), Controls(settings.control, store)
    pool = _pool(settings)
    deployments = Deployments(
        server=_server(settings, pool),
        controls=controls,
        store=store,
        log=DeploymentLog(settings.log),
        commit=settings.commit,
        device_type=device_type,
        boot=boot,
        boot_log=settings.boot_log,
        paused=lambda before, by: live.change(waits_for=before, paused_by=by),
    )
    installers = Installers(settings=settings, store=store, boot=boot, device_type=device_type)
    scripts = Scripts(
        settings.scripts, check=controls.check, tell=lambda name: live.change(doing=name)
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
        pool=pool,
    )
    observer = StateObserver(
        settings=settings, store=store, live=live, deployments=deployments, boot=boot
    )
    odd = observer.correct(store.load().state)
    boot_now = boot_id(settings.device.boot_id)
    runtime = Runtime(store, performer, boot_now, observer.observe, stop_before=stop_before)
    live.change(
        state=type(runtime.state).__name__,
        installed=store.provides.get(NAME, ""),
        running_slot=_running(boot),
        warning=odd,
        is_enabled=controls.is_enabled,
        window=controls.window,
    )
    return Agent(
        settings=settings,
        store=store,
        runtime=runtime,
        live=live,
        deployments=deployments,
        stray=StrayTrial(boot, lambda: runtime.state),
    )


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


def _server(settings: Settings, pool: "Pool") -> "Server | None":
    if not settings.server.urls:
        return None
    from ota_agent.server import attributes
    from ota_agent.server.client import Server
    from ota_agent.server.key import DeviceKey

    return Server(
        settings.server,
        pool,
        DeviceKey(settings.key),
        lambda: attributes.identity(settings.attributes.identity),
    )
