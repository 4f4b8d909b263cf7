# SPDX-License-Identifier: Apache-2.0
"""One end for a whole exchange with a server, whatever the server does meanwhile.

A socket's timeout counts from byte to byte: with a byte a minute, a server would hold the agent for
weeks. The sockets of this room never block in the kernel. Before each wait, and before each piece,
they look at the clock, and at whether the exchange is still wanted.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class _Limits:
    """What limits the sockets in a block.

    Attributes:
        end: when its time is over, by `time.monotonic` [s].
        checks: each raises if nobody wants it any more.
    """

    end: float = math.inf
    checks: tuple[Callable[[], object], ...] = ()


_NONE = _Limits()
_limits = ContextVar("_limits", default=_NONE)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Have sockets raise TimeoutError once the block has taken so long in all [s]."""
    with _limited(replace(_limits.get(), end=end_after(seconds))):
        yield


@contextmanager
def heeding(check: Callable[[], object]) -> Iterator[None]:
    """Have sockets call a function at least four times a second: it raises to end the block."""
    known = _limits.get()
    with _limited(replace(known, checks=(*known.checks, check))):
        yield


@contextmanager
def _limited(limits: _Limits) -> Iterator[None]:
    before = _limits.get()
    _limits.set(limits)
    try:
        yield
    finally:
        _limits.set(before)


def end_after(seconds: float | None) -> float:
    """When a wait has to end, by `time.monotonic` [s]: after so long, or with the block."""
    end = _limits.get().end
    return end if seconds is None else min(end, time.monotonic() + seconds)


def require() -> None:
    """Pass if the block has time left, and is still wanted.

    Raises:
        TimeoutError: its time is over.
    """
    limits = _limits.get()
    for check in limits.checks:
        check()
    if time.monotonic() > limits.end:
        raise TimeoutError("it did not come to its end in time")
