# SPDX-License-Identifier: Apache-2.0
"""What a program costs: one run of it, and the median of several."""

import json
import os
import shlex
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ProgramError

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a run cost, or the median of several.

    Attributes:
        cpu: user and system time of the program and its children [s].
        wall: time from start to end [s].
        rss: peak memory [B].
        size: length of its output file [B]; 0 if it writes none.
    """

    cpu: float
    wall: float
    rss: float
    size: float = 0


def measure(argv: Sequence[str | Path], *, environment: Mapping[str, str], output: Path) -> Sample:
    """Run a program once; the size is that of ``output``, if the program wrote it.

    Raises:
        ProgramError: it failed; the text has its output.
    """
    words = [os.fspath(word) for word in argv]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as costs:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(_LAUNCHER), *words],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, costs.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, said.fileno(), 2),
            ],
            setpgroup=0,  # so that an interrupt also ends the program
        )
        try:
            os.waitpid(pid, 0)
        except BaseException:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        said.seek(0)
        costs.seek(0)
        text = said.read().decode("utf-8", "replace").strip()
        line = costs.read()
    cost: dict[str, float] = json.loads(line) if line else {}
    if cost.get("code") != 0:
        raise ProgramError(f"{shlex.join(words)}: exit code {cost.get('code', 'unknown')}: {text}")
    size = output.stat().st_size if output.exists() else 0
    return Sample(cpu=cost["cpu"], wall=cost["wall"], rss=cost["rss"], size=size)


def median(samples: Iterable[Sample]) -> Sample:
    """The median of each cost on its own; there must be at least one sample."""
    every = list(samples)
    return Sample(
        cpu=statistics.median(each.cpu for each in every),
        wall=statistics.median(each.wall for each in every),
        rss=statistics.median(each.rss for each in every),
        size=statistics.median(each.size for each in every),
    )
