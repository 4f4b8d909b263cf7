# SPDX-License-Identifier: Apache-2.0
"""What the daemon is told by its environment, where there is no systemd to read it."""

from pathlib import Path

from ota_artifact.run import run
from tests.house.tree import ROOT

SYSTEM = ROOT / "tools" / "agent" / "system"
SCRIPT = SYSTEM / "lib" / "ota" / "environment"


def told(*files: Path) -> dict[str, str]:
    """The variables that the script sets, in addition to those that a shell has itself."""
    line = f". {SCRIPT}; exec env -0"
    environment = {"OTA_ENVIRONMENT": " ".join(map(str, files)), "PATH": "/usr/bin:/bin"}
    said = run(("env", "-i", *map("=".join, environment.items()), "sh", "-c", line), timeout=10)
    found = dict(each.split("=", 1) for each in said.decode().split("\0") if each)
    return {name: value for name, value in found.items() if name not in (*environment, "PWD", "_")}


def test_the_second_file_counts_and_a_slip_of_the_pen_stops_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(
        "# a proxy\n\nhttps_proxy=http://one.example:3128\nno_proxy=localhost, .lan\n"
        "if then $(touch x) (\nbad name=1\n9=9\n=x\nEMPTY=\n"
    )
    two.write_text("https_proxy=http://two.example?a=b&c='d'")

    assert told(one, two, tmp_path / "none") == {
        "https_proxy": "http://two.example?a=b&c='d'",
        "no_proxy": "localhost, .lan",
        "EMPTY": "",
    }


def test_systemd_reads_the_same_files() -> None:
    unit = (SYSTEM / "lib" / "systemd" / "system" / "ota-agent.service").read_text()

    named = [each.removeprefix("EnvironmentFile=-") for each in unit.splitlines()]
    files = [each for each in named if each.endswith("/environment")]
    assert " ".join(files) in SCRIPT.read_text()
