# SPDX-License-Identifier: Apache-2.0
"""What the bridge offers, as tables: names, objects, methods, properties, and their XML.

Source: Mender's documentation of its D-Bus API, for the interfaces of that name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ota_agent.api.calls import CALLS, Call
from ota_agent.api.status import Status


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

_HEAD = """\
<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
"""

_STANDARD = """\
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="data" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg name="machine_uuid" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>
  </interface>
"""


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
            max(0, status[each.key]) if each.signature in "tu" else status[each.key],
        )
        for each in AGENT.properties
    }


def object_xml(path: str) -> str | None:
    """What the object at a path answers to Introspect; None if there is none at or below it."""
    if found := INTERFACES.get(path):
        return f"{_HEAD}{_STANDARD}{''.join(_interface(found))}</node>\n"
    above = path.rstrip("/") + "/"
    names = {
        each.removeprefix(above).partition("/")[0] for each in INTERFACES if each.startswith(above)
    }
    nodes = "".join(f'  <node name="{name}"/>\n' for name in sorted(names))
    return f"{_HEAD}{nodes}</node>\n" if nodes else None


def _interface(interface: Interface) -> Iterator[str]:
    yield f'  <interface name="{interface.name}">\n'
    for method in interface.methods:
        yield from _member(
            "method",
            method.name,
            [(each, ' direction="in"') for each in method.takes]
            + [(each, ' direction="out"') for each in method.gives],
        )
    for name, arguments in interface.signals:
        yield from _member("signal", name, [(each, "") for each in arguments])
    for each in interface.properties:
        yield f'    <property name="{each.name}" type="{each.signature}" access="read"/>\n'
    yield "  </interface>\n"


def _member(kind: str, name: str, arguments: list[tuple[Argument, str]]) -> Iterator[str]:
    if not arguments:
        yield f'    <{kind} name="{name}"/>\n'
        return
    yield f'    <{kind} name="{name}">\n'
    for each, direction in arguments:
        yield f'      <arg name="{each.name}" type="{each.signature}"{direction}/>\n'
    yield f"    </{kind}>\n"
