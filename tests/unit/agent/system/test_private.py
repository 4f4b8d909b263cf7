# SPDX-License-Identifier: Apache-2.0
"""What the scripts of the agent make is for root, from the first moment on."""

import os
import stat
import time
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.house.tree import ROOT
from tests.unit.agent.system.test_boot_log_script import SHELLS
from tests.unit.agent.system.test_boot_log_script import Device as Kept

SYSTEM = ROOT / "tools" / "agent" / "system"
LIB = SYSTEM / "lib" / "ota"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_agents_output_goes_through_a_pipe_that_is_roots(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    lib, folder = tmp_path / "lib", tmp_path / "run"
    lib.mkdir()
    folder.mkdir()
    (lib / "boot-log").write_text(f"#!/bin/sh\ncat > {tmp_path}/passed\n")
    agent = tmp_path / "agent"
    agent.write_text(
        f"#!/bin/sh\nstat -c %a {folder}/agent.output; umask; ulimit -c; : > {folder}/made\n"
    )
    for each in (lib / "boot-log", agent):
        each.chmod(0o755)
    (folder / "agent.output").write_text("of an older release")
    variables = {"OTA_RUN": str(folder), "OTA_LIB": str(lib), "OTA_AGENT": str(agent)}

    run((*shell, LIB / "agent"), timeout=20, environment=variables)

    end = time.monotonic() + 5
    while (tmp_path / "passed").read_text().count("\n") < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert (tmp_path / "passed").read_text().split() == ["600", "0077", "0"]
    assert (mode(folder / "made"), mode(folder / "agent.started")) == (0o600, 0o600)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_log_of_a_boot_is_roots(shell: tuple[str, ...], tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        device = Kept(tmp_path, shell)
        (tmp_path / "pstore" / "dmesg").write_text("last words")
        device.is_trial(yes=False)

        device.run()
    finally:
        os.umask(before)

    found = [*(tmp_path / "boots").rglob("*")]
    assert {each.name for each in found} >= {"about", "pstore", "dmesg"}
    assert all(mode(each) == (0o700 if each.is_dir() else 0o600) for each in found)


def test_systemd_gives_the_agent_the_same() -> None:
    unit = (SYSTEM / "lib" / "systemd" / "system" / "ota-agent.service").read_text("utf-8")

    assert "\nUMask=0077\n" in unit
    assert "\nLimitCORE=0\n" in unit
    assert "EnvironmentFile" not in unit, "the agent reads the files, and looks at their owners"


def test_the_init_of_an_image_makes_the_agents_folder_for_root() -> None:
    identity = ROOT / "images" / "overlay" / "common" / "usr" / "lib" / "ota" / "identity"

    assert "mkdir -p -m 700 /data/ota\n" in identity.read_text("utf-8")
