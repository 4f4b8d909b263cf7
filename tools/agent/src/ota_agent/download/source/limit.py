# SPDX-License-Identifier: Apache-2.0
"""Takes bytes no faster than allowed."""

from collections.abc import Callable

_BURST = 0.25  # [s] of the rate that may come at once


class Limit:
    """A token bucket: what is taken too fast is paid for by waiting.

    Args:
        rate: bytes per second [B/s]; 0 for no limit.
        sleep: waits for some seconds [s].
    """

    def __init__(
        self, rate: int, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._room = rate * _BURST
        self._filled = clock()

    def portion(self, size: int) -> int:
        """How much of ``size`` bytes [B] to ask for at once."""
        return max(1, min(size, int(self._rate * _BURST))) if self._rate else size

    def take(self, count: int) -> None:
        """Account for ``count`` bytes [B] that have come, and wait if they came too fast."""
        if not self._rate:
            return
        now = self._clock()
        self._room = min(self._rate * _BURST, self._room + (now - self._filled) * self._rate)
        self._filled = now
        self._room -= count
        if self._room < 0:
            self._sleep(-self._room / self._rate)
