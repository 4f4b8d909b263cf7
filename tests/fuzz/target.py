# SPDX-License-Identifier: Apache-2.0
"""What can be fuzzed, by name."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Protocol

from tests.golden.cases import FOLDER

AGENT = FOLDER / "agent"
"""A folder of inputs to start from for each parser of the agent."""


class Inputs(Protocol):
    """Makes inputs."""

    corpus: list[bytes]

    def next(self) -> bytes:
        """A new one."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads what others have written.

    Attributes:
        judge: has it read an input; gives the way that took, or None for one that was accepted;
            raises for a bug.
        seeds: inputs to start from.
        inputs: what makes others out of them.
    """

    judge: Callable[[bytes], str | None]
    seeds: Callable[[], list[bytes]]
    inputs: Callable[[Random, Sequence[bytes]], Inputs]


def kept(name: str) -> list[bytes]:
    """The inputs in a folder of the golden ones."""
    return [path.read_bytes() for path in sorted((AGENT / name).iterdir())]


def way_of(error: BaseException, skipped: int = 1) -> str:
    """The lines of code through which an error came."""
    places = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).stem}.{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places[skipped:])


LONGEST = 6000  # characters of a message


_folders: list[tempfile.TemporaryDirectory[str]] = []


@cache
def memory_folder() -> Path:
    """A folder for files, in memory if there is one; it goes with the process."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    made = tempfile.TemporaryDirectory(prefix="ota-fuzz-", dir=place)
    _folders.append(made)
    return Path(made.name)


def tried(
    read: Callable[[], object], *refusals: type[Exception], longest: int = LONGEST
) -> str | None:
    """None if it was read, the way of the error if it was refused."""
    try:
        read()
    except refusals as error:
        text = str(error)
        assert len(text) < longest, text[:200]
        return way_of(error)
    return None
