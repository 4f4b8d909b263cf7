# SPDX-License-Identifier: Apache-2.0
"""What a process cannot do any more that has given its rights up; it tries each."""

import os
import platform
import socket
from pathlib import Path

import pytest

from ota_agent.confined.filter import program
from ota_artifact.start import start_bare

FILTERED = pytest.mark.skipif(
    not program(platform.machine(), is_64=True), reason="a filter for this machine is not there"
)
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


def results(folder: Path, how: str) -> dict[str, str]:
    """How each attempt ended: done, or an error's name."""
    file = folder / "file"
    file.write_text("anybody's\n")
    file.chmod(0o666)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o777 if each == folder else 0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = [how, str(file), str(folder), port]
        process = start_bare("tests.unit.agent.confined.attempts", words, keep=())
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0, printed
    return dict(line.split(": ", 1) for line in printed.decode().splitlines() if ": " in line)


@FILTERED
def test_nothing_but_reading_and_writing_what_is_open_is_allowed(tmp_path: Path) -> None:
    found = results(tmp_path, "filtered")

    found.pop("lacking", None)
    assert set(found.values()) == {"EPERM"}, found
    assert (tmp_path / "file").read_text() == "anybody's\n"
    assert not (tmp_path / "new").exists()


@NEEDS_ROOT
def test_without_seccomp_it_is_another_user_who_can_open_nothing(tmp_path: Path) -> None:
    found = results(tmp_path, "without")

    assert "seccomp" in found["lacking"]
    allowed = {name for name, result in found.items() if result == "done"}
    assert not allowed & {
        *("read a file", "write a file", "make a file", "connect", "fork", "be root"),
        *("end the agent", "trace the agent", "read the agent's memory"),
        *("open the agent's memory", "make a pipe"),
    }, found


@pytest.mark.parametrize(
    ("machine", "is_64"),
    [("x86_64", True), ("aarch64", True), ("armv7l", False), ("aarch64", False)],
)
def test_there_is_a_filter_for_each_board(machine: str, is_64: bool) -> None:
    lines = program(machine, is_64=is_64)

    assert lines
    assert len(lines) % 8 == 0
    jumps = [lines[at : at + 8] for at in range(0, len(lines), 8)]
    count = len(jumps)
    targets = {at + 1 + each[2] for at, each in enumerate(jumps) if each[0] == 0x15 and each[2]}
    assert targets == {count - 1}, "each call that is allowed leads to the last line"
    assert jumps[1][3] + 2 == count - 2, "another architecture leads to the refusal"


def test_a_machine_without_a_filter_has_none() -> None:
    assert program("riscv64", is_64=True) == b""
    assert program("x86_64", is_64=False) == b""
