# SPDX-License-Identifier: Apache-2.0
"""How often users other than root may change something: each change is a line in the log."""

_AT_ONCE = 10  # changes by all of them together, after a time without any
_EVERY = 10.0  # [s] until one more


class Quota:
    """A budget of changes that fills up again with time."""

    def __init__(self) -> None:
        self._left, self._since = float(_AT_ONCE), 0.0

    def take(self, now: float) -> float:
        """Take one change out of it; gives how long to wait if it is empty, else 0 [s].

        Args:
            now: of a clock that does not go back [s].
        """
        self._left = min(_AT_ONCE, self._left + max(0.0, now - self._since) / _EVERY)
        self._since = now
        if self._left < 1:
            return (1 - self._left) * _EVERY
        self._left -= 1
        return 0.0
