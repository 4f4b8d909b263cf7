# SPDX-License-Identifier: Apache-2.0
"""Identity and inventory, by real programs."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.server import attributes
from ota_agent.server.attributes import identity, inventory
from ota_agent.server.identity import Identity


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


@pytest.mark.parametrize(
    "script",
    [
        "exec yes x=1",
        "exec yes >&2",
        "head -c 100000000 /dev/zero",
        "echo b=1; sleep 30 & wait",
        "trap '' TERM; echo b=1; sleep 30",
        "trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; sleep 30'",
    ],
)
def test_a_program_that_floods_or_hangs_leaves_out_its_own_keys_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(attributes, "_PATIENCE", 0.2)
    monkeypatch.setattr(attributes, "_GRACE", 0.1)
    program(tmp_path / "a", "bad", f"export IS_BAD={tmp_path}\n{script}")
    program(tmp_path / "a", "good", "echo a=1")

    assert inventory([tmp_path / "a"]) == {"a": "1"}

    assert not left(f"IS_BAD={tmp_path}")


def test_a_process_that_a_good_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    script = f"export IS_LEFT={tmp_path}\nsetsid sleep 30 &\nsleep 30 &\necho a=1"
    program(tmp_path / "a", "id", script)

    assert identity([tmp_path / "a"]) == '{"a":"1"}'

    assert not left(f"IS_LEFT={tmp_path}")


def test_a_device_that_cannot_say_who_it_is_stays_whom_a_server_has_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data" / "identity"
    path.parent.mkdir()
    name = program(tmp_path / "a", "id", "echo mac=1")
    who = Identity([tmp_path / "a"], path)
    who.keep(who())
    name.write_text("#!/bin/sh\nexit 1\n")

    assert who() == '{"mac":"1"}'
    assert "exit code 1: (nothing on stderr); the device stays" in caplog.text

    name.write_text("#!/bin/sh\necho mac=2\n")
    assert who() == '{"mac":"2"}'
    assert "a server has accepted this device as" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\0" * 30, b"[]", b'{"mac":', b"\xff", b"[" * 50_000])
def test_a_damaged_memory_of_the_identity_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "identity").write_bytes(content)
    program(tmp_path / "a", "id", "exit 1")
    who = Identity([tmp_path / "a"], tmp_path / "identity")

    with pytest.raises(AgentError):
        who()

    who.keep('{"mac":"1"}')
    assert who() == '{"mac":"1"}'


def test_what_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    Identity([], tmp_path / "none" / "identity").keep('{"mac":"1"}')


def left(variable: str) -> list[str]:
    """The processes that have the variable, once those that were killed had time to end."""
    end = time.monotonic() + 2
    while (found := list(_with(variable.encode()))) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _with(variable: bytes) -> Iterator[str]:
    for each in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if variable in each.read_bytes().split(b"\0"):
                yield each.parent.name
