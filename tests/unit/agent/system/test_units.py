# SPDX-License-Identifier: Apache-2.0
"""What starts the agent: systemd's units, an init script, D-Bus's activation and policy."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import Background, run
from tests.conftest import requires_program
from tests.house.tree import ROOT

SYSTEM = ROOT / "tools" / "agent" / "system"
UNITS = sorted((SYSTEM / "lib" / "systemd" / "system").glob("*.service"))
POLICIES = sorted((SYSTEM / "dbus").glob("*.conf"))
ACTIVATIONS = sorted((SYSTEM / "dbus-services").glob("*.service"))
NAMES = {"io.mender.AuthenticationManager", "io.mender.UpdateManager", "io.otakit.Agent1"}

MOST_EXPOSED = {  # by systemd-analyze security, of 10: what these units keep out stays out
    "ota-agent.service": 9.6,  # update modules change anything
    "ota-agent-dbus.service": 1.5,
    "ota-boot-log.service": 8.0,
    "ota-deadline.service": 8.5,  # it reads the environment from a disk, and reboots
}

VERIFY = ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no")

analyze = requires_program("systemd-analyze", package="systemd")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root folder with the units and what they start."""
    units = tmp_path / "usr" / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for path in UNITS:
        (units / path.name).write_bytes(path.read_bytes())
    for name in ("sysinit.target", "multi-user.target", "shutdown.target", "dbus.service"):
        (units / name).write_text(
            "[Service]\nExecStart=/usr/bin/ota-agent\n" * ("target" not in name)
        )
    for program in ("usr/bin/ota-agent", "usr/lib/ota/boot-log", "usr/lib/ota/deadline"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


@analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_finds_nothing_wrong(unit: Path, installed: Path) -> None:
    run((*VERIFY, f"--root={installed}", unit.name), timeout=20)


@analyze
@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("/usr/bin/ota-agent", "/usr/bin/none", "/usr/bin/none is not executable"),
        ("KillMode=", "KillMood=", r"Unknown key .*'KillMood'"),
    ],
)
def test_what_systemd_would_not_take_is_found(
    installed: Path, right: str, wrong: str, finding: str
) -> None:
    unit = installed / "usr" / "lib" / "systemd" / "system" / "ota-agent.service"
    unit.write_text(unit.read_text().replace(right, wrong))

    with pytest.raises(ProgramError, match=finding):
        run((*VERIFY, f"--root={installed}", unit.name), timeout=20)


@analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_what_a_unit_may_do_does_not_grow(unit: Path) -> None:
    command = ("systemd-analyze", "security", "--offline=true", "--no-pager")
    threshold = round(MOST_EXPOSED[unit.name] * 10)

    run((*command, f"--threshold={threshold}", unit), timeout=20)


def test_no_sandbox_hinders_an_update_module() -> None:
    text = (SYSTEM / "lib" / "systemd" / "system" / "ota-agent.service").read_text()

    for hindrance in (
        "Protect",
        "Private",
        "NoNewPrivileges",
        "SUIDSGID",
        "SystemCall",
        "ReadOnly",
    ):
        assert f"\n{hindrance}" not in text


@pytest.mark.parametrize("path", [*POLICIES], ids=lambda path: path.stem)
def test_a_policy_lets_root_own_its_name_and_nobody_else(path: Path) -> None:
    root = ElementTree.parse(path).getroot()  # noqa: S314  (our own file)

    own = [
        (policy.attrib, rule.tag, rule.attrib["own"])
        for policy in root
        for rule in policy
        if "own" in rule.attrib
    ]
    assert ({"user": "root"}, "allow", path.stem) in own
    assert [who for who, tag, _ in own if tag == "allow"] == [{"user": "root"}]


def test_every_name_has_its_policy_and_is_activated() -> None:
    assert {path.stem for path in POLICIES} == {path.stem for path in ACTIVATIONS} == NAMES
    for path in ACTIVATIONS:
        lines = path.read_text().splitlines()
        assert f"Name={path.stem}" in lines
        assert "Exec=/usr/bin/ota-agent dbus" in lines
        assert "SystemdService=ota-agent-dbus.service" in lines


@requires_program("dbus-daemon", package="dbus-daemon")
def test_the_bus_takes_the_policies(tmp_path: Path) -> None:
    bus = tmp_path / "bus.conf"
    includes = "".join(f"<include>{path}</include>" for path in POLICIES)
    bus.write_text(
        f"<busconfig><type>system</type><listen>unix:path={tmp_path / 'bus'}</listen>"
        f"<auth>EXTERNAL</auth><servicedir>{SYSTEM / 'dbus-services'}</servicedir>"
        f'<policy context="default"><deny own="*"/></policy>{includes}</busconfig>'
    )

    daemon = Background(("dbus-daemon", f"--config-file={bus}", "--nofork", "--print-address"))
    said = b""
    try:
        while b"unix:path=" not in said:
            piece = os.read(daemon.output, 1000)
            assert piece, said
            said += piece
    finally:
        daemon.kill()
        daemon.close()


@pytest.mark.boot
@requires_program("start-stop-daemon", package="dpkg")
def test_the_init_script_starts_stops_and_tells(tmp_path: Path) -> None:
    agent, script = tmp_path / "agent", SYSTEM / "share" / "ota" / "init.d" / "ota-agent"
    agent.write_text("#!/bin/sh\nexec sleep 60\n")
    agent.chmod(0o755)
    settings = ("env", f"OTA_AGENT={agent}", f"OTA_PID={tmp_path / 'pid'}")

    def call(what: str, *, code: int = 0) -> str:
        return run((*settings, "sh", script, what), timeout=20, success=(code,)).decode()

    assert call("status", code=3) == "ota-agent does not run\n"
    call("start")
    wait_for(lambda: call_succeeds(call))
    first = (tmp_path / "pid").read_text()
    call("start")
    assert (tmp_path / "pid").read_text() == first
    call("stop")
    assert call("status", code=3) == "ota-agent does not run\n"
    call("stop")
    call("nonsense", code=2)


def call_succeeds(call: Callable[[str], str]) -> bool:
    try:
        return call("status") == "ota-agent runs\n"
    except ProgramError:
        return False


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)
