# SPDX-License-Identifier: Apache-2.0
"""Identity and inventory, by real programs."""

from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.server import attributes
from ota_agent.server.attributes import identity, inventory


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_identity_is_the_same_text_whatever_the_order(tmp_path: Path) -> None:
    program(tmp_path / "a", "id", "echo serial = 7; echo mac=1; echo noise; echo mac=2")

    assert identity([tmp_path / "none", tmp_path / "a"]) == '{"mac":["1","2"],"serial":"7"}'


def test_the_first_folder_with_programs_says_who_the_device_is(tmp_path: Path) -> None:
    program(tmp_path / "a", "id", "echo mac=1")
    program(tmp_path / "b", "id", "echo mac=2")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README").write_text("no program")

    assert identity([tmp_path / "empty", tmp_path / "a", tmp_path / "b"]) == '{"mac":"1"}'


@pytest.mark.parametrize(
    ("script", "finding"), [("echo mac=1; exit 1", "exit code 1"), ("true", "say nothing")]
)
def test_a_device_that_cannot_say_who_it_is_says_that(
    tmp_path: Path, script: str, finding: str
) -> None:
    program(tmp_path / "a", "id", script)

    with pytest.raises(AgentError, match=rf"identity: .*{finding}"):
        identity([tmp_path / "a"])


def test_no_program_for_the_identity_says_where_one_belongs(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"no program in .*/a or .*/b; put one there"):
        identity([tmp_path / "a", tmp_path / "b"])


def test_an_inventory_is_of_all_programs_and_a_failing_one_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program(tmp_path / "ours", "os", "echo os=ours")
    program(tmp_path / "ours", "broken", "echo a=1; exit 3")
    program(tmp_path / "ours", "modules", "echo m=1; echo m=2")
    program(tmp_path / "mender", "mender-inventory-os", "echo os=theirs")
    program(tmp_path / "mender", "mender-inventory-more", "echo more=x=y; echo '  bad line'")
    (tmp_path / "ours" / "README").write_text("no program")

    found = inventory([tmp_path / "ours", tmp_path / "mender", tmp_path / "none"])

    assert found == {"os": "ours", "m": ("1", "2"), "more": "x=y"}
    assert "broken: exit code 3" in caplog.text


def test_a_program_that_does_not_end_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "_PATIENCE", 0.1)
    program(tmp_path / "a", "slow", "exec sleep 30")
    program(tmp_path / "a", "fast", "echo a=1")

    assert inventory([tmp_path / "a"]) == {"a": "1"}
