# SPDX-License-Identifier: Apache-2.0
"""Update modules under the command itself: what is called, in which order, and what is left."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.unit.agent.payloads.artifacts import artifact

pytestmark = pytest.mark.boot  # starts the agent, several times

MODULE = """#!/bin/sh
echo "$1 $(basename $(dirname $2)) $(cat current_artifact_name)" >> ../../../../calls
case "$1" in
    SupportsRollback) echo Yes ;;
    {fails}) exit 3 ;;
esac
"""

Agent = Callable[..., None]


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """Runs `ota-agent` in a folder."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "agent.toml").write_text(
        f'[device]\ndevice_type = "board"\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n'
        f'[modules]\nfolders = ["{tmp_path}/modules"]\npayloads = "{tmp_path}/data/payloads"\n'
        f'[scripts]\nfolders = []\nartifact_scripts = "{tmp_path}/data/scripts"\n'
    )
    program = Path(sys.executable).with_name("ota-agent")

    def called(command: str, *words: Path) -> None:
        run((program, command, "--config", tmp_path / "agent.toml", *words), timeout=60)

    return called


def put(folder: Path, type_: str, *, fails: str = "Nothing") -> None:
    module = folder / "modules" / type_
    module.write_text(MODULE.format(fails=fails))
    module.chmod(0o755)


def calls(folder: Path) -> list[str]:
    diary = folder / "calls"
    said = diary.read_text().splitlines()
    diary.unlink()
    return [line.strip() for line in said if not line.startswith(("Provide", "Needs", "Supports"))]


def test_two_payloads_are_installed_and_the_next_ones_know_it(tmp_path: Path, agent: Agent) -> None:
    put(tmp_path, "app")
    data = tmp_path / "two.mender"
    data.write_bytes(artifact(tmp_path, ("app", {"f": b"1"}), ("app", {"f": b"2"})))

    agent("install", data)
    agent("commit")
    first = calls(tmp_path)
    agent("install", data)
    agent("rollback")

    states: tuple[str, ...] = ("Download", "ArtifactInstall", "ArtifactCommit", "Cleanup")
    assert sorted(first) == sorted(
        f"{each} {n} unknown" for each in states for n in ("0000", "0001")
    )
    states = ("Download", "ArtifactInstall", "ArtifactRollback", "ArtifactFailure", "Cleanup")
    assert sorted(calls(tmp_path)) == sorted(
        f"{each} {number} release-2" for each in states for number in ("0000", "0001")
    )
    assert list((tmp_path / "data" / "payloads").iterdir()) == []


def test_after_a_download_that_failed_all_that_were_begun_clean_up(
    tmp_path: Path, agent: Agent
) -> None:
    put(tmp_path, "app", fails="Cleanup")
    put(tmp_path, "wrong", fails="Download")
    data = tmp_path / "two.mender"
    data.write_bytes(artifact(tmp_path, ("app", {"f": b"1"}), ("wrong", {"f": b"2"})))

    with pytest.raises(ProgramError, match="update module wrong: Download: exit code 3"):
        agent("install", data)

    assert calls(tmp_path) == [
        "Download 0000 unknown",
        "Download 0001 unknown",
        "Cleanup 0001 unknown",
        "Cleanup 0000 unknown",
    ]
    assert list((tmp_path / "data" / "payloads").iterdir()) == []


def test_an_install_that_failed_is_rolled_back_in_reverse(tmp_path: Path, agent: Agent) -> None:
    put(tmp_path, "app")
    put(tmp_path, "wrong", fails="ArtifactInstall")
    data = tmp_path / "two.mender"
    data.write_bytes(artifact(tmp_path, ("app", {"f": b"1"}), ("wrong", {"f": b"2"})))

    with pytest.raises(ProgramError, match="update module wrong: ArtifactInstall: exit code 3"):
        agent("install", data)

    assert [line.removesuffix(" unknown") for line in calls(tmp_path)][2:] == [
        "ArtifactInstall 0000",
        "ArtifactInstall 0001",
        "ArtifactRollback 0001",
        "ArtifactRollback 0000",
        "ArtifactFailure 0000",
        "ArtifactFailure 0001",
        "Cleanup 0001",
        "Cleanup 0000",
    ]
