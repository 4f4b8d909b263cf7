# SPDX-License-Identifier: Apache-2.0
"""What clients, users and other agents send, and a map of the server's."""

import asyncio
import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ota_agent.api import messages
from ota_agent.api.dispatch import answer
from ota_agent.api.peer import Peer
from ota_agent.api.sentences import lines
from ota_agent.api.standalone import StandaloneCommands
from ota_agent.api.status import LiveStatus, from_json
from ota_agent.control import ControlOptions, maps
from ota_agent.control.controls import Controls
from ota_agent.dbus.bridge import Bridge
from ota_agent.dbus.interfaces import values
from ota_agent.errors import AgentError
from tests.fuzz.target import tried


class _Memory:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text


def take_map(deployment: str, found: object) -> None:
    """A map of the server's is never refused by an error: it fails the update."""
    memory = _Memory()
    Controls(ControlOptions(), memory).set_server_map(deployment, found)  # type: ignore[arg-type]
    Controls(ControlOptions(), memory)  # type: ignore[arg-type]


def judge_control_map(data: bytes) -> str | None:
    """An update control map, as a user of the device gives it and as the server does."""
    text = data.decode("utf-8", "replace")
    way = tried(lambda: maps.to_json(maps.parse_text(text)), AgentError)
    with suppress(ValueError, RecursionError):
        take_map("d1", json.loads(text))
    return way


@cache
def _served() -> tuple[LiveStatus, StandaloneCommands]:
    live = LiveStatus()
    return live, StandaloneCommands(Controls(ControlOptions(), _Memory()), live)  # type: ignore[arg-type]


def judge_request(data: bytes) -> str | None:
    """A line that a client sends to the socket."""
    live, commands = _served()
    said = b""
    for is_root in (False, True):
        peer = Peer(socket=None, uid=1, is_root=is_root, since=0.0)  # type: ignore[arg-type]
        said = answer(data, peer, live, commands)
        assert said.endswith(b"\n")
        assert said.count(b"\n") == 1
        found = json.loads(said)
        assert found.keys() in ({"result"}, {"error"})
        if "error" in found:
            assert found["error"]["kind"] != "bug", found
    return None if b'"result"' in said else re.sub(r"[\d'\"].*", "", found["error"]["text"])


def judge_status(data: bytes) -> str | None:
    """A line that the agent, of another version perhaps, sends: commands and the bridge read it."""

    def read() -> None:
        found = messages.parse_answer(data)
        status = from_json(found.get("status", found.get("result")))
        for line in lines(status, clock=time.localtime):
            assert all(each.isprintable() for each in line.split("\n")), line
        _marshal(values(status.to_json()))

    import time

    return tried(read, AgentError, longest=1 << 20)  # the agent's own text


def _marshal(found: Mapping[str, tuple[str, Any]]) -> None:
    from dbus_fast import Message, Variant

    body = [{name: Variant(*value) for name, value in found.items()}]
    Message.new_signal("/a", "a.b", "C", "a{sv}", body)._marshall(False)


class _Bus:
    """Takes what the bridge sends; what cannot be sent is a bug."""

    connected = True

    async def send(self, message: Any) -> None:
        message._marshall(False)

    async def call(self, message: Any) -> Any:
        """The bus itself is asked for one thing: the user of a caller."""
        from dbus_fast import Message

        message._marshall(False)
        message.serial = 1
        return Message.new_method_return(message, "u", [0])


class _Link:
    async def ask(self, call: str, **arguments: Any) -> Any:
        line = messages.request_line(call, arguments)
        live, commands = _served()
        peer = Peer(socket=None, uid=0, is_root=True, since=0.0)  # type: ignore[arg-type]
        return messages.parse_answer(answer(line, peer, live, commands))["result"]


@cache
def _bridge() -> tuple[Bridge, asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    bridge = Bridge(_Bus(), Path("/none"), 0)  # type: ignore[arg-type]
    bridge.link = _Link()  # type: ignore[assignment]
    return bridge, loop


def _message(data: bytes) -> Any:
    """The message that JSON stands for, if the bus would let it pass; else None."""
    from dbus_fast import Message, Variant
    from dbus_fast._private.unmarshaller import Unmarshaller

    try:
        found = json.loads(data)
        body = [Variant("s", "x") if each == "variant" else each for each in found.pop("body")]
        message = Message(**found, body=body, serial=1, sender=":1.5")
        wire = io.BytesIO(message._marshall(False))
        return Unmarshaller(wire).unmarshall()  # type: ignore[arg-type]
    except Exception:
        return None


def judge_bus(data: bytes) -> str | None:
    """A message on the bus, which checks its form."""
    message = _message(data)
    if message is None:
        return "not a message"
    bridge, loop = _bridge()
    ways: list[str] = []
    loop.set_exception_handler(lambda _, context: ways.append(str(context)))

    async def handle() -> object:
        found = bridge._handle(message)
        if hasattr(found, "_marshall"):
            found._marshall(False)
        await asyncio.gather(*bridge._work)
        return found

    found = loop.run_until_complete(handle())
    assert not ways, ways
    return f"{type(found).__name__} {message.member}"
