# SPDX-License-Identifier: Apache-2.0
"""How fast a download is."""

import time
from collections import deque
from collections.abc import Callable

_SPAN = 5.0  # [s] that are looked back
_LEAST = 0.5  # [s] from which on it says something


class Pace:
    """The speed of what grows, over the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, received: int) -> float:
        """The speed [B/s], now that so much has come [B]; 0 while it is not known."""
        now = self._clock()
        self._seen.append((now, received))
        while now - self._seen[0][0] > _SPAN:
            self._seen.popleft()
        begun, before = self._seen[0]
        return float(round((received - before) / (now - begun))) if now - begun >= _LEAST else 0.0
