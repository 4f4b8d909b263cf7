# SPDX-License-Identifier: Apache-2.0
"""What is installed for the bus: who may what, and that the bus starts the bridge."""

import logging
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ota_agent.dbus.interfaces import AGENT, AUTHENTICATION, UPDATE, Interface
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.pages import commands
from tests.house.tree import ROOT
from tests.unit.agent.api.other_user import opened_to_all, requires_root
from tests.unit.agent.api.serving import Daemon, serving, wait_until
from tests.unit.agent.dbus.bus import (
    CLOSED,
    SYSTEM,
    bridged,
    call,
    get,
    is_owned,
    running_bus,
    signals,
)

pytestmark = requires_program("dbus-daemon", package="dbus-daemon")


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


def policies() -> str:
    """The policy files as a bus includes them; nogroup stands for the group ota."""
    found = ""
    for path in sorted((SYSTEM / "dbus").glob("*.conf")):
        text = path.read_text("utf-8")
        found += text[text.index("<busconfig>") + 11 : text.index("</busconfig>")]
    assert found.count('group="ota"') == 1
    return found.replace('group="ota"', 'group="nogroup"')


NOBODY = ("--reuid", "65534", "--regid", "60000", "--clear-groups")
MEMBER = ("--reuid", "65534", "--regid", "60000", "--groups", "65534")


@requires_root
def test_the_policy_is_only_root_and_a_group_for_what_is_harmless(
    tmp_path: Path, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened_to_all(tmp_path)
    with (
        running_bus(tmp_path, policy=CLOSED + policies()) as address,
        serving(tmp_path / "sock", daemon),
        bridged(address, tmp_path / "sock"),
    ):
        harmless = (("Pause", "string:ArtifactReboot"), ("Continue",), ("Abort", "string:no"))
        for member, *arguments in harmless:
            assert call(address, AGENT, member, *arguments) == ""
            assert "AccessDenied" in _said(address, AGENT, member, *arguments, user=NOBODY)
            assert _said(address, AGENT, member, *arguments, user=MEMBER) == ""
        assert [each[0] for each in daemon.heard[:4]] == ["pause", "hold", "continue", "release"]
        assert "asked by user 0: pause" in caplog.text
        assert "asked by user 65534: pause" in caplog.text
        daemon.heard.clear()
        for interface, member, *arguments in (
            (AGENT, "Install", "string:/a"),
            (AGENT, "Commit"),
            (AGENT, "Rollback", "string:no"),
            (AGENT, "SetWindow", "string:"),
            (AGENT, "SetEnabled", "boolean:false"),
            (UPDATE, "SetUpdateControlMap", "string:{}"),
            (AUTHENTICATION, "GetJwtToken"),
        ):
            for user in (NOBODY, MEMBER):
                assert "AccessDenied" in _said(address, interface, member, *arguments, user=user)
        assert daemon.heard == []


_LISTEN = """
import asyncio, os, sys
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

async def listen():
    done = asyncio.Event()
    def note(message):
        if message.message_type is MessageType.SIGNAL and message.sender != "org.freedesktop.DBus":
            print(message.member, flush=True)
            if message.member == "Done":
                done.set()
    bus = await MessageBus(bus_address=sys.argv[1]).connect()
    bus.add_message_handler(note)
    name = "org.freedesktop.DBus"
    add = Message(name, "/org/freedesktop/DBus", name, "AddMatch", signature="s",
                  body=["type='signal'"])
    assert (await bus.call(add)).message_type is MessageType.METHOD_RETURN
    print("ready", flush=True)
    await asyncio.wait_for(done.wait(), 20)

os.setgroups([int(each) for each in sys.argv[2:]]); os.setgid(60000); os.setuid(65534)
asyncio.run(listen())
"""


@requires_root
@pytest.mark.boot  # three listeners
def test_the_token_is_heard_by_only_root(tmp_path: Path, daemon: Daemon) -> None:
    async def change() -> bool:
        daemon.live.change(is_authorized=True, tokens=1)
        return ("token",) in daemon.heard

    opened_to_all(tmp_path)
    with ExitStack() as stack:
        address = stack.enter_context(running_bus(tmp_path, policy=CLOSED + policies()))
        stack.enter_context(serving(tmp_path / "sock", daemon))
        stack.enter_context(bridged(address, tmp_path / "sock"))
        listeners = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603
                    [sys.executable, "-c", _LISTEN, address, *groups],
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for groups in ((), ("65534",))
        ]
        assert [each.stdout and each.stdout.readline() for each in listeners] == ["ready\n"] * 2

        of_root = dict(signals(address, change))
        run(("dbus-send", f"--bus={address}", "/end", "end.of.test.Done"), timeout=10)
        of_nobody, of_member = (each.communicate(timeout=20)[0].split() for each in listeners)

    assert of_root["JwtTokenStateChange"][0] == "header.claims.signature"
    assert of_nobody == ["Done"]
    assert of_member == ["PropertiesChanged", "Done"]


def _said(
    address: str, interface: Interface, member: str, *arguments: str, user: tuple[str, ...]
) -> str:
    return call(address, interface, member, *arguments, user=user)


@pytest.mark.boot  # a process of its own starts twice
def test_the_bus_starts_the_bridge_and_nobody_waits_in_vain(tmp_path: Path, daemon: Daemon) -> None:
    command = Path(sys.executable).parent / "ota-agent"
    (tmp_path / "agent.toml").write_text(f'[device]\nrun = "{tmp_path}"\n')
    with running_bus(tmp_path) as address, serving(tmp_path / "agent.sock", daemon):
        for name in (AGENT.bus_name, AUTHENTICATION.bus_name):
            service = (SYSTEM / "dbus-services" / f"{name}.service").read_text("utf-8")
            options = f"--config {tmp_path}/agent.toml --address {address} --idle 0.3"
            service = service.replace("/usr/bin/ota-agent dbus", f"{command} dbus {options}")
            lines = [each for each in service.splitlines() if not each.startswith("Systemd")]
            (tmp_path / "services" / f"{name}.service").write_text("\n".join(lines) + "\n")

        assert call(address, AUTHENTICATION, "FetchJwtToken") == "boolean true"
        wait_until(lambda: not is_owned(address, AGENT.bus_name))
        assert "Idle" in get(address, "State")
        wait_until(lambda: not is_owned(address, AGENT.bus_name))


@pytest.mark.boot  # a process of its own
def test_a_bridge_that_is_told_to_end_has_done_well(tmp_path: Path, daemon: Daemon) -> None:
    (tmp_path / "agent.toml").write_text(f'[device]\nrun = "{tmp_path}"\n')
    command = [str(Path(sys.executable).parent / "ota-agent"), "dbus", "--address"]
    with running_bus(tmp_path) as address, serving(tmp_path / "agent.sock", daemon):
        words = [*command, address, "--config", str(tmp_path / "agent.toml")]
        with subprocess.Popen(words, stderr=subprocess.PIPE) as bridge:  # noqa: S603
            wait_until(lambda: is_owned(address, AGENT.bus_name))

            bridge.terminate()

            _, said = bridge.communicate(timeout=10)
        assert (bridge.returncode, said) == (0, b"")


def test_what_the_page_shows_works(tmp_path: Path, daemon: Daemon) -> None:
    page = (ROOT / "docs" / "reference" / "d-bus.md").read_text("utf-8")
    shown = [line.split() for line in commands(page).splitlines()]

    with (
        running_bus(tmp_path) as address,
        serving(tmp_path / "sock", daemon),
        bridged(address, tmp_path / "sock"),
    ):
        for words in shown:
            assert "--system" in words
            run([f"--bus={address}" if each == "--system" else each for each in words], timeout=10)

    assert daemon.heard == [("fetch_token",), ("pause", "ArtifactReboot"), ("continue",)]
    for interface in (AGENT, AUTHENTICATION, UPDATE):
        row = f"| `{interface.bus_name}` | `{interface.path}` | `{interface.name}` |"
        assert row in page
        assert all(f"`{each.name}(" in page for each in interface.methods)
