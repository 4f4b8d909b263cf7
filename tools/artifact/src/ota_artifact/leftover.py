# SPDX-License-Identifier: Apache-2.0
"""What a program has left behind, in its process group or out of it."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_MARK = "OTA_STARTED_AS"
_PROC = Path("/proc")
_LIMIT = 1 << 17  # [B] of an environment
_ROUNDS, _QUIET, _PAUSE = 20, 2, 0.01  # at most; without a find, until it ends; between them [s]


@contextmanager
def leaving_nothing() -> Iterator[Mapping[str, str]]:
    """Gives variables for a program, and kills at the end each process that has inherited them.

    A session of its own does not save a process, but one that clears its environment is not found.
    """
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    try:
        yield {_MARK: mark}
    finally:
        _kill(f"{_MARK}={mark}".encode())


def _kill(variable: bytes) -> None:
    """Kill those that have a variable, and those that they have started in the meantime."""
    known: set[str] = set()
    quiet = 0
    for _ in range(_ROUNDS):
        found = {each.name for each in _PROC.iterdir() if _is_marked(each, variable)} - known
        for number in found:
            with suppress(OSError):  # it has ended
                os.kill(int(number), signal.SIGKILL)
        known |= found
        quiet = 0 if found else quiet + 1
        if quiet == _QUIET:
            return
        time.sleep(_PAUSE)  # while it begins a program, a process has no environment


def _is_marked(process: Path, variable: bytes) -> bool:
    if not process.name.isdecimal():
        return False
    try:
        with (process / "environ").open("rb") as file:
            return variable in file.read(_LIMIT).split(b"\0")
    except OSError:  # it has ended, or is not ours
        return False
