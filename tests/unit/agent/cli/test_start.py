# SPDX-License-Identifier: Apache-2.0
"""A command that only looks starts without what talks to servers: scripts call it often."""

import sys
from pathlib import Path

import pytest

from ota_agent.cli.main import build_parser
from ota_agent.memory.store import Store
from ota_artifact.run import run
from tests.unit.agent.scratch import scratch

HEAVY = ("urllib3", "ssl", "http", "cryptography", "zstandard", "dbus_fast", "email")
SHOW = """
import sys
from ota_agent.cli.main import main
try:
    code = main(sys.argv[1:])
finally:
    print("loaded", *(each for each in sys.modules if "." not in each))
"""


def loaded(*words: str) -> set[str]:
    """The packages that a command has imported by its end, in a process of its own."""
    said = run((sys.executable, "-c", SHOW, *words), timeout=30).decode()
    return set(said.partition("loaded ")[2].split())


def test_the_version_needs_nothing_of_the_agent() -> None:
    assert loaded("--version").isdisjoint({*HEAVY, "sqlite3", "logging", "json"})


@pytest.mark.parametrize("command", ["status", "show-artifact", "show-provides"])
def test_what_only_looks_talks_to_nobody(tmp_path: Path, command: str) -> None:
    device = scratch(tmp_path, slot=1 << 20)
    Store(tmp_path / "data" / "state.db").close()

    found = loaded(command, "--config", str(device.configuration))

    assert found.isdisjoint(HEAVY)
    assert "sqlite3" in found  # or it has not looked


def test_a_device_that_was_never_updated_has_no_memory_to_be_read(tmp_path: Path) -> None:
    device = scratch(tmp_path, slot=1 << 20)

    assert "sqlite3" not in loaded("status", "--config", str(device.configuration))


def test_a_daemon_that_waits_has_not_loaded_what_installs() -> None:
    """The modules are those that it has before the first update; memory is little on a board."""
    program = "import sys, ota_agent.engine.daemon; print(*sys.modules)"

    found = run((sys.executable, "-c", program), timeout=30).decode().split()

    assert {"ota_agent.engine.assembly", "ota_agent.config.settings"} <= set(found)
    assert {
        "ota_agent.download.fetch",
        "ota_agent.payloads.module",
        "ota_agent.payloads.rootfs",
        "ota_artifact.payload",
        "urllib3",
    }.isdisjoint(found)


def test_what_is_loaded_is_seen() -> None:
    """The test of the test."""
    program = f"import ota_agent.server.http\n{SHOW}"

    said = run((sys.executable, "-c", program, "--help"), timeout=30).decode()

    assert {"urllib3", "ssl"} <= set(said.partition("loaded ")[2].split())


def test_the_help_has_every_command() -> None:
    said = build_parser().format_help()

    assert "install" in said
    assert "show-provides" in said
