# SPDX-License-Identifier: Apache-2.0
"""A program that runs next to ours: we have its console, and it never outlives us."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import Background

START = (
    "import sys; from ota_artifact.run import Background\n"
    "program = Background(['sh', '-c', 'echo $$; exec sleep 60'])\n"
    "import os; print(os.read(program.output, 20).decode(), flush=True); sys.stdin.read()\n"
)


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def test_its_console_is_ours() -> None:
    program = Background(["sh", "-c", "read word; echo $word; echo error >&2"])
    os.write(program.stdin, b"hello\n")

    said = b""
    while piece := os.read(program.output, 100):
        said += piece

    assert said == b"hello\nerror\n"
    program.kill()
    program.close()


def test_it_is_killed_when_it_is_asked_to_be() -> None:
    program = Background(["sleep", "60"])
    before = program.is_running

    program.kill()
    program.kill()

    assert (before, program.is_running) == (True, False)
    program.close()


def test_it_ends_with_us_whatever_ends_us() -> None:
    words = (sys.executable, "-c", START)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ours:  # noqa: S603
        assert ours.stdout
        pid = int(ours.stdout.readline())
        assert is_alive(pid)
        os.kill(ours.pid, signal.SIGKILL)

    end = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ProgramError, match="no-such-program: not found; install"):
        Background(["no-such-program"])
