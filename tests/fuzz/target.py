# SPDX-License-Identifier: Apache-2.0
"""What can be fuzzed, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
