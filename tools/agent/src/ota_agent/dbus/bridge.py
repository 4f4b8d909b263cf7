# SPDX-License-Identifier: Apache-2.0
"""Passes calls on the bus to the device API, and ends when all callers have left."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ota_agent.api.client import NoAgent
from ota_agent.api.messages import ASKER, Wrong
from ota_agent.api.status import Status
from ota_agent.dbus.interfaces import (
    AGENT,
    AUTHENTICATION,
    INTERFACES,
    Interface,
    Method,
    object_xml,
    signature,
    values,
)
from ota_agent.dbus.link import Link
from ota_agent.errors import AgentError
from ota_artifact.terminal import indented

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus
    from dbus_fast.message import Message

logger = logging.getLogger(__name__)

IDLE = 60.0  # [s]
_FIRST = 5.0  # [s] for the first status, before clients on the bus can ask
_MOST = 64  # calls at once; a caller who does not wait for answers could fill the memory
_NOBODY = Status(state="")
_BUS = "org.freedesktop.DBus"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
_ERROR = "io.otakit.Agent1.Error."


async def serve(socket: Path, address: str, idle: float = IDLE) -> None:
    """Serve on the bus until nobody needs it.

    Args:
        socket: of the device API.
        address: of the bus; empty: the system bus.
        idle: it ends this long after the last caller has left the bus [s]; 0: never.

    Raises:
        AgentError: the bus is missing, has ended, or refuses our names.
    """
    bus = await _connect(address)
    bridge = Bridge(bus, socket, idle)
    link = asyncio.ensure_future(bridge.link.run())
    try:
        await bridge.link.wait_until_known(_FIRST)
        await bridge.enter()
        ended = asyncio.ensure_future(_end_of(bus))
        needless = asyncio.ensure_future(bridge.wait_until_idle())
        await asyncio.wait((ended, needless), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise AgentError("the bus has ended; the bridge starts again when it is needed")
        await bridge.leave()
        ended.cancel()
    finally:
        link.cancel()
        with suppress(asyncio.CancelledError):
            await link
        if bus.connected:
            bus.disconnect()


async def _end_of(bus: "MessageBus") -> None:
    with suppress(Exception):  # any end is an end
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def _connect(address: str) -> "MessageBus":
    try:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import AuthError, InvalidAddressError
    except ImportError as error:
        raise AgentError(
            "D-Bus needs the Python package dbus-fast (Debian: python3-dbus-fast)"
        ) from error
    try:
        if address:
            return await MessageBus(bus_address=address).connect()
        return await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, AuthError, InvalidAddressError) as error:
        raise AgentError(f"{address or 'the system bus'}: {error}; does the bus run?") from error


class Bridge:
    """Our objects on the bus.

    Args:
        bus: connected.
    """

    def __init__(self, bus: "MessageBus", socket: Path, idle: float) -> None:
        self._bus, self._idle = bus, idle
        self.link = Link(socket, self._changed)
        self._status = _NOBODY
        self._callers: dict[str, asyncio.Task[int] | None] = {}
        self._quiet = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()
        self._is_entered = False

    async def enter(self) -> None:
        """Take our names, and answer from then on.

        Raises:
            AgentError: another program has them, or the bus refuses them.
        """
        from dbus_fast import Message, NameFlag, RequestNameReply
        from dbus_fast.errors import DBusError

        self._bus.add_message_handler(self._handle)
        rule = f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg2=''"
        await self._bus.call(
            Message(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", signature="s", body=[rule])
        )
        for each in INTERFACES.values():
            try:
                reply = await self._bus.request_name(each.bus_name, NameFlag.DO_NOT_QUEUE)
            except DBusError as error:
                raise AgentError(
                    f"{each.bus_name}: {error.text}; is the bus's policy for it installed?"
                ) from error
            if reply is not RequestNameReply.PRIMARY_OWNER:
                raise AgentError(f"{each.bus_name}: another program owns this name; stop it")
        self._is_entered = True

    async def leave(self) -> None:
        """Release our names, and answer the calls that came before that.

        For later calls the bus starts another bridge.
        """
        for each in INTERFACES.values():
            await self._bus.release_name(each.bus_name)
        while self._work:
            await asyncio.wait(self._work)

    async def wait_until_idle(self) -> None:
        """Wait until every caller has left the bus, and no new one has come for a while."""
        if not self._idle:
            await asyncio.Event().wait()
        while True:
            self._quiet.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), self._idle)
                continue  # a client has called or left: start over
            if not self._callers and not self._work:
                return

    def _handle(self, message: "Message") -> "Message | bool":
        """Handle a message of the bus; gives the answer, or whether it is handled."""
        from dbus_fast import MessageType

        if message.message_type is MessageType.SIGNAL:
            if message.sender == _BUS and message.member == "NameOwnerChanged":
                self._left(message.body[0])
            return False
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        if message.sender:
            self._callers.setdefault(message.sender)
            self._quiet.set()
        answer = self._answer(message)
        return True if answer is not None and not _wants_answer(message) else answer or False

    def _left(self, name: str) -> None:
        if name in self._callers:
            del self._callers[name]
            self._quiet.set()

    async def _user(self, caller: str) -> int:
        """The number of the user who calls; the bus is asked once for each caller."""
        asked = self._callers.get(caller)
        if asked is None:
            asked = asyncio.ensure_future(self._ask_for_user(caller))
            if caller in self._callers:
                self._callers[caller] = asked
        return await asked

    async def _ask_for_user(self, caller: str) -> int:
        """What the bus says.

        Raises:
            AgentError: the bus does not say, as when the caller has left.
        """
        from dbus_fast import Message, MessageType

        question = "GetConnectionUnixUser"
        path = "/org/freedesktop/DBus"
        answer = await self._bus.call(
            Message(_BUS, path, _BUS, question, signature="s", body=[caller])
        )
        if answer is None or answer.message_type is not MessageType.METHOD_RETURN:
            raise AgentError(f"{caller}: the bus does not say which user that is")
        return int(answer.body[0])

    def _answer(self, message: "Message") -> "Message | bool | None":
        """The answer; True if it comes later, None if the library answers."""
        from dbus_fast import ErrorType, Message

        if message.interface == _INTROSPECTABLE and message.member == "Introspect":
            xml = object_xml(message.path or "")
            return Message.new_method_return(message, "s", [xml]) if xml else None
        interface = INTERFACES.get(message.path or "")
        if interface is None:
            return None
        if message.interface == _PROPERTIES:
            return self._property(message, interface)
        method = next((each for each in interface.methods if each.name == message.member), None)
        if (
            method is None
            or message.interface not in (interface.name, None)
            or message.signature != signature(method.takes)
        ):
            return None
        if len(self._work) >= _MOST:
            text = "too many calls at once; wait for their answers"
            return Message.new_error(message, ErrorType.LIMITS_EXCEEDED, text)
        self._start(self._carry_out(message, method))
        return True

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _carry_out(self, message: "Message", method: Method) -> None:
        from dbus_fast import Message

        arguments = {
            each.key: value for each, value in zip(method.takes, message.body, strict=True)
        }
        try:
            user = await self._user(message.sender or "")
            result = await self.link.ask(method.call, **arguments, **{ASKER: user})
        except AgentError as error:
            answer = Message.new_error(message, _error_name(error), indented(str(error)))
        else:
            body = [result[each.key] for each in method.gives]
            answer = Message.new_method_return(message, signature(method.gives), body)
        if _wants_answer(message):
            await self._bus.send(answer)

    def _property(self, message: "Message", interface: Interface) -> "Message":
        from dbus_fast import ErrorType, Message, Variant

        if not message.body or message.body[0] != interface.name:
            return Message.new_error(
                message, ErrorType.UNKNOWN_INTERFACE, f"{message.path} has {interface.name}"
            )
        found = values(self._status.to_json()) if interface is AGENT else {}
        match message.member, message.signature, message.body:
            case "GetAll", "s", _:
                body = {name: Variant(*value) for name, value in found.items()}
                return Message.new_method_return(message, "a{sv}", [body])
            case "Get", "ss", [_, str(name)] if name in found:
                return Message.new_method_return(message, "v", [Variant(*found[name])])
            case "Set", "ssv", [_, str(name), _] if name in found:
                return Message.new_error(
                    message, ErrorType.PROPERTY_READ_ONLY, f"{name} is read-only; use a method"
                )
            case "Get" | "Set", "ss" | "ssv", [_, name, *_]:
                return Message.new_error(
                    message, ErrorType.UNKNOWN_PROPERTY, f"{interface.name} has no {name}"
                )
        return Message.new_error(
            message, ErrorType.UNKNOWN_METHOD, f"{_PROPERTIES} has no such {message.member}"
        )

    def _changed(self, status: Status | None) -> None:
        """Announce a new status, or that the agent has gone."""
        from dbus_fast import Variant

        before, self._status = self._status, status or _NOBODY
        if not self._is_entered or not self._bus.connected:
            return
        old, new = values(before.to_json()), values(self._status.to_json())
        changed = {name: Variant(*value) for name, value in new.items() if value != old[name]}
        if changed:
            body = [AGENT.name, changed, []]
            self._emit(AGENT, _PROPERTIES, "PropertiesChanged", "sa{sv}as", body)
        if status is not None and status.tokens != before.tokens:
            self._start(self._tell_token())

    async def _tell_token(self) -> None:
        try:
            found = await self.link.ask("token")
        except AgentError as error:
            logger.warning("could not announce the new token: %s", error)
            return
        for name, arguments in AUTHENTICATION.signals:
            body = [found[each.key] for each in arguments]
            self._emit(AUTHENTICATION, AUTHENTICATION.name, name, signature(arguments), body)

    def _emit(self, of: Interface, interface: str, name: str, types: str, body: list[Any]) -> None:
        from dbus_fast import Message

        self._bus.send(Message.new_signal(of.path, interface, name, types, body))


def _wants_answer(message: "Message") -> bool:
    from dbus_fast import MessageFlag

    return not message.flags & MessageFlag.NO_REPLY_EXPECTED


def _error_name(error: AgentError) -> str:
    match error:
        case NoAgent():
            return f"{_ERROR}NoAgent"
        case Wrong():
            return f"{_ERROR}{error.kind.capitalize()}"
        case _:
            return f"{_ERROR}Failed"
