# SPDX-License-Identifier: Apache-2.0
"""How work that takes long reports its steps, and how far it is."""

import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence

from ota_artifact.errors import ProgramError
from ota_artifact.quoting import masked, shortened
from ota_artifact.run import stream

Say = Callable[[str], None]
"""Takes one short line for each step, as the step begins."""

_INTERVAL = 15.0  # [s]


def run_and_tell(
    argv: Sequence[str | os.PathLike[str]],
    *,
    silence: float,
    tell: Callable[[int], str],
    say: Say,
    start: bytes = b"",
    environment: Mapping[str, str] | None = None,
    interval: float = _INTERVAL,
) -> None:
    """Run a program that takes long, and say now and then how far it is.

    Args:
        silence: how long it may print nothing [s].
        tell: what to say, by the number of lines that it has printed on stdout.
        start: count only lines that begin with it.
        environment: variables set on top of ours.
        interval: at least so long between two lines of ours [s].

    Raises:
        ProgramError: it is not installed, was silent too long, or failed; the text has its stderr.
    """
    count, rest, last = 0, b"", time.monotonic()

    def hear(piece: bytes) -> None:
        nonlocal count, rest, last
        *lines, rest = (rest + piece).split(b"\n")
        count += sum(line.startswith(start) for line in lines)
        if count and time.monotonic() - last >= interval:
            last = time.monotonic()
            say(tell(count))

    ended = stream(argv, silence=silence, sink=hear, environment=environment)
    if ended.code:
        line = masked(shlex.join(os.fspath(word) for word in argv))
        raise ProgramError(f"{line}: exit code {ended.code}: {shortened(ended.said)}")
