# SPDX-License-Identifier: Apache-2.0
"""The maintenance window: when updates may be installed. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime

from ota_agent.errors import AgentError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? +)?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY = 24 * 60  # [min]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of some days.

    Attributes:
        days: on which it begins; 0 is Monday.
        start: [min] after midnight.
        end: [min] after midnight; at or before the start, it is that of the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def holds(self, now: datetime) -> bool:
        """Whether it is on."""
        minute, day = now.hour * 60 + now.minute, now.weekday()
        if self.end > self.start:
            return day in self.days and self.start <= minute < self.end
        yesterday = (day - 1) % 7
        return (day in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )


def parse_window(text: str) -> tuple[Span, ...]:
    """The spans of a window such as ``Mon-Fri 22:00-05:00, Sun 00:00-24:00``; () for always.

    Raises:
        AgentError: it is none.
    """
    return tuple(_span(each.strip(), text) for each in text.split(",")) if text.strip() else ()


def is_open(spans: tuple[Span, ...], now: datetime) -> bool:
    """Whether updates may be installed now (local time)."""
    return not spans or any(each.holds(now) for each in spans)


def _span(text: str, window: str) -> Span:
    match = _SPAN.fullmatch(text.lower())
    if match:
        first, last, *numbers = match.groups()
        hour, minute, end_hour, end_minute = map(int, numbers)
        start, end = hour * 60 + minute, end_hour * 60 + end_minute
        known = {first or "mon", last or "sun"} <= set(_DAYS)
        if known and max(minute, end_minute) < 60 and start < _DAY and end <= _DAY:
            return Span(_days(first, last), start, end)
    raise AgentError(
        f"window: {window!r}: {text!r} is not a span; write it as '22:00-05:00' or 'Mon-Fri"
        " 22:00-05:00', several with commas between"
    )


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if not first:
        return frozenset(range(7))
    start = _DAYS.index(first)
    count = (_DAYS.index(last) - start) % 7 if last else 0
    return frozenset((start + each) % 7 for each in range(count + 1))
