# SPDX-License-Identifier: Apache-2.0
"""The latest time that is known to have been: with it, no clock brings a key back that has expired.

It comes from a server that TLS has authenticated, or from a release that was committed, and never
from the clock alone, which anybody on the network may set. But what they say counts only as far as
the clock has come: neither of the two alone can move it into the future, where keys would expire.
"""

import logging
import time
from collections.abc import Callable

from ota_agent.errors import AgentError
from ota_agent.memory.store import Store

logger = logging.getLogger(__name__)

_TIME = "time"  # of the store [s since 1970]

_END = 253_402_300_800  # [s since 1970] of the year 9999, and of what Python can show
_STEP = 86400.0  # [s] keys expire by the day, and flash wears


def trusted_time(store: Store) -> float:
    """The latest time that is known to have been [s since 1970]; 0 if none is."""
    return _bounded(store.number(_TIME))


def time_in(text: str) -> float:
    """The same from the text of the record; 0 if it is damaged."""
    return _bounded(int(text)) if text.isascii() and text.isdecimal() and len(text) < 16 else 0.0


def note_time(store: Store, said: float, *, now: Callable[[], float] = time.time) -> None:
    """Remember a time that a server or a release says [s since 1970]; it only moves forward."""
    found = min(said, now())
    if found < trusted_time(store) + _STEP:
        return
    try:
        store.put(_TIME, str(int(found)))
    except AgentError as error:
        logger.warning("the time is not remembered: %s", error)


def _bounded(found: int) -> float:
    return float(found) if found < _END else 0.0
