# SPDX-License-Identifier: Apache-2.0
"""One process that makes inputs and judges them until its time is over."""

import logging
import re
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.mutation import Mutator
from tests.fuzz.oracle import judge
from tests.fuzz.target import Target
from tests.golden.accepted import good_artifacts
from tests.golden.cases import FOLDER, Broken, Good
from tests.golden.draft import sha256
from tests.golden.refused import broken_artifacts

ARTIFACT = "artifact"
"""The target that is the reader of artifacts."""

LONGEST = 5.0
"""How much processor time one input may take [s]: other programs do not count."""

MOST = 192 << 20
"""How much memory the inputs may cost, in addition to the process's memory at its start [B]."""

_SEED_LIMIT = 32 << 10  # [B] of an input to start from
_WIDTH = 300  # characters of a line of a traceback
_CORPUS = 2000  # inputs at most


class Hang(BaseException):
    """An input took too long; no handler for errors may catch this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a session saw.

    Attributes:
        executions: inputs judged.
        accepted: those that were accepted as artifacts.
        seeds: inputs to start from.
        found: inputs that took another path through the code than all before.
        memory: peak memory, less the memory of the process at its start [B].
        crash: the bug's traceback; empty if there was none.
        input: the path of the input that shows it.
    """

    executions: int
    accepted: int
    seeds: int
    found: int
    memory: int
    crash: str = ""
    input: str = ""


def seeds() -> list[bytes]:
    """Good and broken artifacts to start from."""
    cases: tuple[Good | Broken, ...] = (
        *good_artifacts().values(),
        *broken_artifacts().values(),
    )
    peers = sorted((FOLDER / "mender-artifact-3.9.0").iterdir())
    contents = [case.content for case in cases] + [path.read_bytes() for path in peers]
    return [content for content in contents if len(content) <= _SEED_LIMIT]


def target(name: str) -> Target:
    """What has a name: the reader of artifacts, or a parser of the agent."""
    if name == ARTIFACT:
        return Target(judge, seeds, Mutator)
    from tests.fuzz.agent import PARSERS

    return PARSERS[name]


def fuzz(seed: str, seconds: float, folder: Path, name: str = ARTIFACT) -> Report:
    """Judge inputs until the time is over or there is a bug, whose input goes to ``folder``."""
    logging.disable(logging.CRITICAL)
    try:
        return _fuzz(seed, seconds, folder, name)
    finally:
        logging.disable(logging.NOTSET)


def _fuzz(seed: str, seconds: float, folder: Path, name: str) -> Report:
    chosen = target(name)
    start = chosen.seeds()
    for each in start if name != ARTIFACT else ():
        _tried(each, chosen)  # what is imported or made once is not an input's fault
    mutator = chosen.inputs(Random(seed), start)
    ways: set[str | None] = set()
    executions = accepted = 0
    forget_peak()
    before = peak()
    crash, data = "", b""
    end = time.monotonic() + seconds
    while not crash and time.monotonic() < end:
        data = start[executions] if executions < len(start) else mutator.next()
        executions += 1
        way, crash = _tried(data, chosen)
        if not crash and peak() - before > MOST:
            crash = f"the memory that inputs cost came to {peak() - before} B"
        accepted += way is None and not crash
        if way not in ways:
            ways.add(way)
            if len(mutator.corpus) < _CORPUS:
                mutator.corpus.append(data)
    found, memory = len(mutator.corpus) - len(start), peak() - before
    return Report(
        executions=executions,
        accepted=accepted,
        seeds=len(start),
        found=found,
        memory=memory,
        crash=crash,
        input=str(_save(data, folder, name)) if crash else "",
    )


def _tried(data: bytes, chosen: Target) -> tuple[str | None, str]:
    try:
        with _no_longer_than(LONGEST):
            return chosen.judge(data), ""
    except (Exception, Hang):
        return None, "\n".join(line[:_WIDTH] for line in traceback.format_exc().splitlines())


def tried(data: bytes, name: str = ARTIFACT) -> str:
    """The traceback of the bug that an input shows; empty if it shows none."""
    return _tried(data, target(name))[1]


def peak() -> int:
    """Peak memory of this process [B]; its parent's does not count."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def forget_peak() -> None:
    """Measure the peak from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def _save(data: bytes, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"crash-{sha256(data)[:12]}.{'mender' if name == ARTIFACT else name}"
    path.write_bytes(data)
    return path


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    def stop(signal: int, frame: FrameType | None) -> None:
        raise Hang(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
