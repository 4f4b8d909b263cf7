# SPDX-License-Identifier: Apache-2.0
"""What the bridge offers, as tables: names, objects, methods, properties, and their XML.

Source: Mender's documentation of its D-Bus API, for the interfaces of that name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ota_agent.api.calls import CALLS, Call
from ota_agent.api.status import Status
from ota_artifact.terminal import indented

if TYPE_CHECKING:
    from dbus_fast import introspection

_OBJECTS = "org.freedesktop.DBus.ObjectManager"  # which we do not have


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a method or signal, or a property.

    Attributes:
        signature: its D-Bus type.
        key: its name in the device API.
    """

    name: str
    signature: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method, and the call of the device API that it makes."""

    name: str
    call: str
    takes: tuple[Argument, ...] = ()
    gives: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of one object, and the bus name that owns it.

    Attributes:
        properties: as arguments, with the keys of the status.
        signals: in addition to PropertiesChanged, with their arguments.
    """

    name: str
    bus_name: str
    path: str
    methods: tuple[Method, ...]
    properties: tuple[Argument, ...] = ()
    signals: tuple[tuple[str, tuple[Argument, ...]], ...] = ()


_TOKEN = (Argument("token", "s", "token"), Argument("server_url", "s", "server"))

AUTHENTICATION = Interface(
    name="io.mender.Authentication1",
    bus_name="io.mender.AuthenticationManager",
    path="/io/mender/AuthenticationManager",
    methods=(
        Method(name="GetJwtToken", call="token", gives=_TOKEN),
        Method(
            name="FetchJwtToken",
            call="fetch_token",
            gives=(Argument("success", "b", "is_fetching"),),
        ),
    ),
    signals=(("JwtTokenStateChange", _TOKEN),),
)

UPDATE = Interface(
    name="io.mender.Update1",
    bus_name="io.mender.UpdateManager",
    path="/io/mender/UpdateManager",
    methods=(
        Method(
            name="SetUpdateControlMap",
            call="set_control_map",
            takes=(Argument("update_control_map", "s", "map"),),
            gives=(Argument("refresh_timeout", "i", "refresh"),),
        ),
    ),
)

_MENDERS = {each.call for each in (*AUTHENTICATION.methods, *UPDATE.methods)}
_MOST = {"u": 2**32 - 1, "t": 2**64 - 1}
_NUMBERS: Mapping[str, str] = {"size": "t", "done": "t", "updates": "u", "tokens": "u"}
_SIGNATURES: Mapping[type, str] = {str: "s", bool: "b", float: "d", int: "u"}


def _name(key: str) -> str:
    """``running_slot`` of the device API is RunningSlot here."""
    return "".join(map(str.capitalize, key.split("_")))


def _properties() -> tuple[Argument, ...]:
    return tuple(
        Argument(_name(key), _NUMBERS.get(key, _SIGNATURES[type(value)]), key)
        for key, value in Status().to_json().items()
    )


def _method(call: Call) -> Method:
    takes = [Argument(key, _SIGNATURES.get(kind, "s"), key) for key, kind in call.takes.items()]
    return Method(name=_name(call.name), call=call.name, takes=tuple(takes))


AGENT = Interface(
    name="io.otakit.Agent1",
    bus_name="io.otakit.Agent1",
    path="/io/otakit/Agent",
    methods=tuple(
        _method(each)
        for each in CALLS.values()
        if not each.is_reading and each.name not in _MENDERS
    ),
    properties=_properties(),
)

INTERFACES: Mapping[str, Interface] = {each.path: each for each in (AUTHENTICATION, UPDATE, AGENT)}
"""All of them by the path of their object."""


def signature(arguments: Iterable[Argument]) -> str:
    """Their D-Bus types together."""
    return "".join(each.signature for each in arguments)


def values(status: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """The signature and value of each property, by its name.

    Args:
        status: as `Status.to_json` gives it.
    """
    return {
        each.name: (
            each.signature,
            _sendable(each.signature, status[each.key]),
        )
        for each in AGENT.properties
    }


def _sendable(kind: str, value: Any) -> Any:
    """A value as the bus takes it: numbers from 0, and texts without NUL or half a character."""
    if kind == "s":
        return indented(value)
    return min(max(0, value), _MOST[kind]) if kind in _MOST else value


def object_xml(path: str) -> str | None:
    """What the object at a path answers to Introspect; None if there is none at or below it."""
    from dbus_fast.introspection import Node

    if found := INTERFACES.get(path):
        standard = [each for each in Node.default().interfaces if each.name != _OBJECTS]
        return Node(interfaces=[*standard, _described(found)]).tostring()
    above = path.rstrip("/") + "/"
    node = Node()
    below = [each.removeprefix(above) for each in INTERFACES if each.startswith(above)]
    names = sorted({each.partition("/")[0] for each in below})
    node.nodes = [Node(each, is_root=False) for each in names]
    return node.tostring() if node.nodes else None


def _described(interface: Interface) -> "introspection.Interface":
    from dbus_fast import ArgDirection, PropertyAccess
    from dbus_fast import introspection as xml

    def arguments(
        found: Iterable[Argument], direction: ArgDirection | None = None
    ) -> list[xml.Arg]:
        return [xml.Arg(each.signature, direction, each.name) for each in found]

    return xml.Interface(
        interface.name,
        methods=[
            xml.Method(
                each.name,
                arguments(each.takes, ArgDirection.IN),
                arguments(each.gives, ArgDirection.OUT),
            )
            for each in interface.methods
        ],
        signals=[xml.Signal(name, arguments(found)) for name, found in interface.signals],
        properties=[
            xml.Property(each.name, each.signature, PropertyAccess.READ)
            for each in interface.properties
        ],
    )
