# SPDX-License-Identifier: Apache-2.0
"""The bridge on a real bus: calls, properties, signals, and when it comes and goes."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ota_agent.dbus.interfaces import AGENT, AUTHENTICATION, INTERFACES, UPDATE, Interface
from tests.conftest import requires_program
from tests.unit.agent.api.serving import Daemon, serving, wait_until
from tests.unit.agent.dbus.bus import (
    PROPERTIES,
    SYSTEM,
    bridged,
    call,
    get,
    is_owned,
    running_bus,
    send,
    signals,
)

pytestmark = requires_program("dbus-daemon", package="dbus-daemon")


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def bus(tmp_path: Path, daemon: Daemon) -> Iterator[str]:
    """The address of a bus with the bridge to a served socket on it."""
    with (
        running_bus(tmp_path) as address,
        serving(tmp_path / "sock", daemon),
        bridged(address, tmp_path / "sock"),
    ):
        yield address


@pytest.mark.parametrize(
    ("interface", "member", "arguments", "heard", "answer"),
    [
        (UPDATE, "SetUpdateControlMap", ("string:{}",), ("set_control_map", "{}"), "int32 900"),
        (AUTHENTICATION, "FetchJwtToken", (), ("fetch_token",), "boolean true"),
        (AGENT, "Pause", ("string:ArtifactReboot",), ("pause", "ArtifactReboot"), ""),
        (AGENT, "Continue", (), ("continue",), ""),
        (AGENT, "Abort", ("string:no",), ("abort", "no"), ""),
        (AGENT, "SetEnabled", ("boolean:false",), ("set_enabled", False), ""),
        (AGENT, "SetWindow", ("string:1:00-2:00",), ("set_window", "1:00-2:00"), ""),
        (AGENT, "Install", ("string:/a.mender",), ("install", "/a.mender"), ""),
        (AGENT, "Commit", (), ("commit",), ""),
        (AGENT, "Rollback", ("string:smells",), ("rollback", "smells"), ""),
        (AGENT, "Resume", (), ("resume",), ""),
        (AGENT, "CheckUpdate", (), ("check_update",), ""),
        (AGENT, "SendInventory", (), ("send_inventory",), ""),
    ],
)
def test_a_method_is_heard_by_the_daemon(
    bus: str,
    daemon: Daemon,
    interface: Interface,
    member: str,
    arguments: tuple[str, ...],
    heard: tuple[object, ...],
    answer: str,
) -> None:
    assert call(bus, interface, member, *arguments) == answer
    assert daemon.heard == [heard]


def test_the_token_is_empty_until_there_is_one(bus: str, daemon: Daemon) -> None:
    assert call(bus, AUTHENTICATION, "GetJwtToken").split() == []

    daemon.live.change(is_authorized=True)

    said = call(bus, AUTHENTICATION, "GetJwtToken")
    assert said.split() == ["header.claims.signature", "https://server"]


def test_the_status_is_there_as_properties(bus: str, daemon: Daemon) -> None:
    daemon.live.change(state="Downloading", size=1 << 33, done=1 << 32)
    wait_until(lambda: "Downloading" in get(bus, "State"))

    assert "uint64 8589934592" in get(bus, "Size")
    assert "uint32 50" in get(bus, "Percent")
    everything = get(bus, member="GetAll")
    assert all(each.name in everything for each in AGENT.properties)


@pytest.mark.parametrize(
    ("member", "names", "says"),
    [
        ("Get", ("Mood",), "has no Mood"),
        ("Get", (), "has no such Get"),
        ("GetAll", ("State",), "has no such GetAll"),
        ("Dream", (), "has no such Dream"),
    ],
)
def test_an_unknown_property_is_named(
    bus: str, member: str, names: tuple[str, ...], says: str
) -> None:
    assert says in get(bus, *names, member=member)


def test_properties_are_not_set(bus: str, daemon: Daemon) -> None:
    said = send(
        bus,
        AGENT.bus_name,
        AGENT.path,
        f"{PROPERTIES}.Set",
        f"string:{AGENT.name}",
        "string:IsEnabled",
        "variant:boolean:false",
    )

    assert "IsEnabled is read-only" in said
    assert daemon.heard == []


@pytest.mark.parametrize(
    ("interface", "member", "arguments", "says"),
    [
        (AGENT, "Pause", ("string:Idle",), "before has to be one of ArtifactInstall"),
        (AGENT, "Pause", ("int32:1",), "could not be found"),
        (AGENT, "Pause", (), "could not be found"),
        (AGENT, "Dance", (), "could not be found"),
        (UPDATE, "GetJwtToken", (), "could not be found"),
    ],
)
def test_an_unknown_method_is_named(
    bus: str, interface: Interface, member: str, arguments: tuple[str, ...], says: str
) -> None:
    assert says in call(bus, interface, member, *arguments)


def test_what_the_daemon_refuses_is_an_error_with_its_text(bus: str, daemon: Daemon) -> None:
    daemon.refuses = "an update is under way"

    said = call(bus, AGENT, "Commit")

    assert said.endswith("Error io.otakit.Agent1.Error.Impossible: an update is under way")


@pytest.mark.parametrize("interface", INTERFACES.values(), ids=lambda each: each.name)
def test_what_an_object_says_of_itself_is_what_is_installed(bus: str, interface: Interface) -> None:
    method = "org.freedesktop.DBus.Introspectable.Introspect"
    said = send(bus, interface.bus_name, interface.path, method)

    described = ElementTree.fromstring(said)  # noqa: S314 - our own
    committed = SYSTEM / "dbus-interfaces" / f"{interface.name}.xml"
    (wanted,) = ElementTree.fromstring(committed.read_text("utf-8"))  # noqa: S314 - our own
    (found,) = [each for each in described if each.get("name") == interface.name]
    assert ElementTree.canonicalize(ElementTree.tostring(found), strip_text=True) == (
        ElementTree.canonicalize(ElementTree.tostring(wanted), strip_text=True)
    )


def test_a_change_is_told_with_what_has_changed(bus: str, daemon: Daemon) -> None:
    async def change() -> bool:
        daemon.live.change(waits_for="ArtifactInstall")
        return True

    heard = signals(bus, change)

    ((name, (interface, changed, gone)),) = heard
    assert (name, interface, gone) == ("PropertiesChanged", AGENT.name, [])
    assert {key: value.value for key, value in changed.items()} == {"WaitsFor": "ArtifactInstall"}


def test_a_new_token_is_told_as_mender_tells_it(bus: str, daemon: Daemon) -> None:
    async def change() -> bool:
        daemon.live.change(is_authorized=True, tokens=1)
        return ("token",) in daemon.heard

    heard = dict(signals(bus, change))

    assert heard["JwtTokenStateChange"] == ["header.claims.signature", "https://server"]


def test_an_agent_that_goes_and_comes_back_is_seen(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "sock"
    with running_bus(tmp_path) as address, bridged(address, path):
        assert get(address, "State") == "variant"
        assert "no agent serves there" in call(address, AGENT, "Commit")

        with serving(path, daemon):
            wait_until(lambda: "Idle" in get(address, "State"))
            assert call(address, AGENT, "Commit") == ""

        wait_until(lambda: get(address, "State") == "variant")


def test_it_ends_when_nobody_who_called_is_on_the_bus_any_more(
    tmp_path: Path, daemon: Daemon
) -> None:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

    with (
        running_bus(tmp_path) as address,
        serving(tmp_path / "sock", daemon),
        bridged(address, tmp_path / "sock", idle=0.2) as ended,
    ):

        async def stay() -> None:
            bus = await MessageBus(bus_address=address).connect()
            await bus.call(Message(AGENT.bus_name, AGENT.path, AGENT.name, "Commit"))
            await asyncio.sleep(0.5)
            assert not ended.done()
            bus.disconnect()

        asyncio.run(stay())

        assert ended.result(timeout=5) == ""
        assert not is_owned(address, AGENT.bus_name)
        assert not is_owned(address, UPDATE.bus_name)


def test_a_bus_that_ends_ends_the_bridge(tmp_path: Path) -> None:
    with running_bus(tmp_path) as address, bridged(address, tmp_path / "sock") as ended:
        bridge = ended
        os.kill(_daemon_of(tmp_path), 15)

        assert "the bus has ended" in bridge.result(timeout=5)


def _daemon_of(folder: Path) -> int:
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"--config-file={folder}/bus.conf".encode() in each.read_bytes():
                return int(each.parent.name)
        except OSError:
            continue
    raise AssertionError("no dbus-daemon")


def test_a_second_bridge_leaves_the_first_alone(bus: str, tmp_path: Path) -> None:
    with bridged(bus, tmp_path / "sock") as second:
        assert "another program owns this name" in second.result(timeout=5)
    assert is_owned(bus, AGENT.bus_name)


def test_without_a_bus_it_says_so(tmp_path: Path) -> None:
    from ota_agent.dbus.bridge import serve
    from ota_agent.errors import AgentError

    for address in (f"unix:path={tmp_path}/none", "nonsense", "carrier:pigeon=1"):
        with pytest.raises(AgentError, match="does the bus run"):
            asyncio.run(serve(tmp_path / "sock", address))
