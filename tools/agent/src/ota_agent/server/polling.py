# SPDX-License-Identifier: Apache-2.0
"""When the server is asked again. Pure: how long to wait, from what was seen.

Source: Mender's client: 60 s, each delay three times, then twice as long, up to
RetryPollIntervalSeconds; and then as if nothing had failed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ota_agent.bounds import bounded
from ota_agent.retry import spread

Asked = Literal["update", "inventory"]
"""What the server is asked for, or told."""

_FIRST = 60.0  # [s]
_EACH = 3  # times


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOptions:
    """How often the server is asked and told.

    Attributes:
        update: seconds from one question for an update to the next.
        inventory: seconds from one inventory to the next.
        retry: the longest of the delays in seconds until a server is tried again that could not be
            reached; below 60, the only one.
        retry_count: how often it is tried again before it is back to the usual interval; 0: three
            times for each delay of 60, 120, 240 seconds and so on.
        jitter: the part of each delay by which it is longer or shorter at random, so that a fleet
            does not ask all at once; 0 to 1.
        start_spread: the first question after the agent's start comes at a random time within this
            many seconds.
        server_shortest: a server that has nothing may say when to ask again (X-OTA-Poll-After), but
            never sooner than after this many seconds.
        server_longest: and never later than after this many seconds; 0: it is not heeded.
    """

    update: float = bounded(1800.0, least=0.1)
    inventory: float = bounded(28800.0, least=0.1)
    retry: float = bounded(300.0, least=0.1)
    retry_count: int = 0
    jitter: float = bounded(0.1, most=1.0)
    start_spread: float = 10.0
    server_shortest: float = bounded(30.0, least=0.1)
    server_longest: float = 21600.0

    def interval(self, what: Asked, poll_after: float) -> float:
        """Seconds from one question to the next, if all goes well.

        Args:
            poll_after: when the server, which has no update now, wants to be asked for one [s]; 0
                if it does not say.
        """
        if what == "inventory":
            return self.inventory
        if not poll_after or not self.server_longest:
            return self.update
        return max(self.server_shortest, min(poll_after, self.server_longest))


def as_attributes(options: PollOptions) -> dict[str, str]:
    """The intervals for the inventory, by the names that Mender's script gives them."""
    found = {
        "interval-update-poll-seconds": options.update,
        "interval-inventory-poll-seconds": options.inventory,
        "interval-retry-poll-seconds": options.retry,
        "interval-retry-poll-count": options.retry_count,
    }
    return {name: str(int(value)) for name, value in found.items()}


def next_delay(
    options: PollOptions,
    interval: float,
    failures: int,
    *,
    random: Callable[[], float],
    retry_after: float = 0.0,
) -> float:
    """Seconds until the server is asked again.

    Args:
        interval: of what is asked for, `PollOptions.interval` [s].
        failures: how many times it has failed, one after the other, by now.
        random: gives a number from 0 to 1.
        retry_after: what the server said to wait at least [s].
    """
    delay = backoff(options, failures) if failures else None
    delay = interval if delay is None else min(delay, interval)
    return spread(delay, share=options.jitter, chance=random(), asked=retry_after)


def first_delay(options: PollOptions, *, random: Callable[[], float]) -> float:
    """Seconds from the agent's start to its first question."""
    return options.start_spread * random()


def backoff(options: PollOptions, failures: int) -> float | None:
    """Seconds until another try after so many failures; None once it is useless.

    Args:
        failures: from 1 on.
    """
    if options.retry_count and failures > options.retry_count:
        return None
    if options.retry < _FIRST:
        return options.retry if options.retry_count or failures <= _EACH else None
    delay = _FIRST
    for _ in range((failures - 1) // _EACH):
        if delay >= options.retry:
            return delay if options.retry_count else None
        delay = min(delay * 2, options.retry)
    return delay
