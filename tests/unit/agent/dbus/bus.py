# SPDX-License-Identifier: Apache-2.0
"""A bus of a test's own, by the real dbus-daemon, and those who are on it."""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from ota_agent.dbus.bridge import serve
from ota_agent.dbus.interfaces import AGENT, AUTHENTICATION, Interface
from ota_agent.errors import AgentError
from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.house.tree import ROOT
from tests.unit.agent.api.serving import wait_until

PROPERTIES = "org.freedesktop.DBus.Properties"

SYSTEM = ROOT / "tools" / "agent" / "system"

OPEN = """
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
"""
"""What a session's bus has. Source: dbus-daemon's session.conf."""

CLOSED = """
  <policy context="default">
    <allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus"
           send_interface="org.freedesktop.DBus.Introspectable"/>
  </policy>
"""
"""What a system bus begins with. Source: dbus-daemon's system.conf."""


@contextmanager
def running_bus(folder: Path, *, policy: str = OPEN) -> Iterator[str]:
    """The address of a bus; files in ``folder``/services are its services."""
    socket, config = folder / "bus", folder / "bus.conf"
    (folder / "services").mkdir(exist_ok=True)
    config.write_text(
        f"<busconfig><type>session</type><listen>unix:path={socket}</listen>"
        f"<auth>EXTERNAL</auth><servicedir>{folder}/services</servicedir>{policy}</busconfig>"
    )
    with subprocess.Popen(  # noqa: S603
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"],  # noqa: S607
        stdout=subprocess.PIPE,
    ) as daemon:
        try:
            assert daemon.stdout
            assert daemon.stdout.readline().startswith(b"unix:"), "the bus has not started"
            socket.chmod(0o666)
            yield f"unix:path={socket}"
        finally:
            daemon.terminate()


@contextmanager
def bridged(address: str, socket: Path, *, idle: float = 0) -> Iterator["Future[str]"]:
    """The bridge, in a thread; the future has why it ended, empty if nobody needed it."""
    ended: Future[str] = Future()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def work() -> None:
        task = asyncio.ensure_future(serve(socket, address, idle))
        running.append((asyncio.get_running_loop(), task))
        await task

    def live() -> None:
        try:
            asyncio.run(work())
            ended.set_result("")
        except AgentError as error:
            ended.set_result(str(error))
        except asyncio.CancelledError:
            ended.set_result("cancelled")

    thread = Thread(target=live)
    thread.start()
    try:
        wait_until(lambda: ended.done() or is_owned(address, "io.otakit.Agent1"))
        yield ended
    finally:
        loop, task = running[0]
        with suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


def is_owned(address: str, name: str) -> bool:
    """Whether a program on the bus has that name."""
    said = send(
        address,
        "org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus.NameHasOwner",
        f"string:{name}",
    )
    return "boolean true" in said


def send(
    address: str, name: str, path: str, method: str, *arguments: str, user: tuple[str, ...] = ()
) -> str:
    """What dbus-send prints of the answer, or of the error.

    Args:
        user: the options of setpriv for another user.
    """
    call = ("dbus-send", f"--bus={address}", "--print-reply=literal", "--type=method_call")
    words = (*call, f"--dest={name}", path, method, *arguments)
    become = ("setpriv", *user) if user else ()
    try:
        return run((*become, *words), timeout=10).decode().strip()
    except ProgramError as error:
        return str(error)


def call(address: str, interface: Interface, member: str, *arguments: str, **options: Any) -> str:
    """What dbus-send says to a method of ours."""
    method = f"{interface.name}.{member}"
    return send(address, interface.bus_name, interface.path, method, *arguments, **options)


def get(address: str, *names: str, member: str = "Get", interface: Interface = AGENT) -> str:
    """What dbus-send says to a property of ours."""
    arguments = [f"string:{each}" for each in (interface.name, *names)]
    return send(address, interface.bus_name, interface.path, f"{PROPERTIES}.{member}", *arguments)


def signals(address: str, do: Callable[[], Awaitable[bool]]) -> list[tuple[str, list[Any]]]:
    """The signals of the bridge that came until something was true, by another connection."""
    from dbus_fast import Message, MessageType
    from dbus_fast.aio import MessageBus

    async def listen() -> list[tuple[str, list[Any]]]:
        heard: list[tuple[str, list[Any]]] = []

        def note(message: Message) -> None:
            if message.message_type is MessageType.SIGNAL and message.interface in (
                PROPERTIES,
                AUTHENTICATION.name,
            ):
                heard.append((str(message.member), message.body))

        bus = await MessageBus(bus_address=address).connect()
        bus.add_message_handler(note)
        name = "org.freedesktop.DBus"
        rule = [f"type='signal',sender='{AGENT.bus_name}'"]
        add = Message(name, "/org/freedesktop/DBus", name, "AddMatch", signature="s", body=rule)
        await bus.call(add)
        end = time.monotonic() + 5
        while not await do() or not heard:
            assert time.monotonic() < end, heard
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        bus.disconnect()
        return heard

    return asyncio.run(listen())
