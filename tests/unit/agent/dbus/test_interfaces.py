# SPDX-License-Identifier: Apache-2.0
"""The descriptions that are installed are those of the code, and as Mender's where it has one."""

from xml.etree import ElementTree

import pytest

from ota_agent.api.calls import CALLS
from ota_agent.api.status import Status
from ota_agent.dbus.interfaces import (
    AGENT,
    AUTHENTICATION,
    INTERFACES,
    UPDATE,
    Interface,
    object_xml,
    signature,
    values,
)
from tests.house.tree import ROOT
from tests.unit.agent.dbus.bus import SYSTEM


@pytest.mark.parametrize("path", INTERFACES)
def test_the_committed_description_is_that_of_the_code(path: str) -> None:
    installed = SYSTEM / "dbus-interfaces" / f"{INTERFACES[path].name}.xml"

    (described,) = ElementTree.parse(installed).getroot()  # noqa: S314 - our own

    answered = ElementTree.fromstring(object_xml(path) or "")  # noqa: S314 - our own
    *standard, own = answered
    assert _plain(own) == _plain(described)
    assert [each.get("name") for each in standard] == [
        f"org.freedesktop.DBus.{name}" for name in ("Introspectable", "Peer", "Properties")
    ]


def _plain(element: ElementTree.Element) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(element), strip_text=True)


def test_menders_interfaces_are_menders() -> None:
    def of(interface: Interface) -> list[tuple[str, str, str]]:
        return [
            (each.name, signature(each.takes), signature(each.gives)) for each in interface.methods
        ]

    assert of(AUTHENTICATION) == [("GetJwtToken", "", "ss"), ("FetchJwtToken", "", "b")]
    assert of(UPDATE) == [("SetUpdateControlMap", "s", "i")]
    ((name, arguments),) = AUTHENTICATION.signals
    assert (name, [each.signature for each in arguments]) == ("JwtTokenStateChange", ["s", "s"])


def test_every_method_is_a_call_of_the_device_api_with_its_arguments() -> None:
    called = []
    for interface in INTERFACES.values():
        for method in interface.methods:
            called.append(method.call)
            kinds = CALLS[method.call].takes
            assert [each.key for each in method.takes] == [*kinds]
            for each in method.takes:
                assert each.signature == ("b" if kinds[each.key] is bool else "s")
    assert sorted(called) == sorted(CALLS.keys() - {"status", "watch"})


def test_every_key_of_the_status_is_a_property() -> None:
    found = values(Status(size=1 << 40, done=-1, running_slot="A").to_json())

    assert len(found) == len(Status().to_json())
    assert found["Size"] == ("t", 1 << 40)
    assert found["Done"] == ("t", 0)
    assert found["RunningSlot"] == ("s", "A")
    assert found["IsEnabled"] == ("b", True)


def test_objects_are_found_from_the_top() -> None:
    found, paths = [], ["/"]
    while paths:
        path = paths.pop()
        root = ElementTree.fromstring(object_xml(path) or "")  # noqa: S314 - our own
        found += [each.get("name") for each in root.iter("interface")]
        paths += [
            f"{path.rstrip('/')}/{each.get('name')}"
            for each in root.iter("node")
            if each.get("name")
        ]

    assert {each.name for each in INTERFACES.values()} <= {*found}
    assert object_xml("/org") is None
    assert object_xml(f"{AGENT.path}/below") is None


def test_the_policy_lets_the_group_make_the_calls_of_the_group() -> None:
    policy = ElementTree.parse(SYSTEM / "dbus" / "io.otakit.Agent1.conf")  # noqa: S314 - our own

    allowed = {
        each.get("send_member")
        for each in policy.findall("policy[@group]/allow")
        if each.get("send_interface") == AGENT.name
    }

    assert allowed == {each.name for each in AGENT.methods if CALLS[each.call].who == "group"}


def test_the_page_lists_every_method_with_its_arguments() -> None:
    page = (ROOT / "docs" / "reference" / "d-bus.md").read_text("utf-8")

    for interface in INTERFACES.values():
        for method in interface.methods:
            takes = ", ".join(f"{each.signature} {each.name}" for each in method.takes)
            assert f"`{method.name}({takes})`" in page
