# SPDX-License-Identifier: Apache-2.0
"""When a server is asked again: what it says itself, and randomized delays."""

from datetime import UTC

LONGEST = 86400.0
"""What a server can ask us to wait at most [s]."""

_LENGTH = 64  # characters; a date has 29
_DIGITS = 12


def retry_after(header: str | None, now: float) -> float | None:
    """What ``Retry-After`` asks us to wait [s], up to `LONGEST`.

    None if it is not there, or is neither a number of seconds nor a date: what is not understood
    is as if it were not there. Source: RFC 9110, 10.2.3.

    Args:
        now: the time of the day [s since 1970].
    """
    if (found := seconds(header)) is not None:
        return found
    then = date_of(header)
    return None if then is None else min(max(0.0, then - now), LONGEST)


def seconds(header: str | None) -> float | None:
    """The whole number in a header [s], up to `LONGEST`; None if it is not one."""
    text = (header or "").strip()
    return min(float(text[:_DIGITS]), LONGEST) if text.isascii() and text.isdecimal() else None


def date_of(header: str | None) -> float | None:
    """The time in a header such as ``Date`` [s since 1970]; None if it is not a date."""
    text = (header or "").strip()
    if not text or len(text) > _LENGTH:
        return None
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, LookupError):  # whatever the parser trips over
        return None


def doubled(first: float, longest: float, failures: int) -> float:
    """The delay after some failures [s]: ``first`` after one, then twice as long each time."""
    return min(first * 2.0 ** min(failures - 1, 30), longest)


def spread(delay: float, *, share: float, chance: float, asked: float = 0.0) -> float:
    """A delay [s] that is longer or shorter by chance, and never shorter than a server asks for.

    Args:
        share: of the delay, by which it may be either; 0 to 1.
        chance: from 0 to 1.
        asked: what the server asks us to wait [s]; 0 if it does not.
    """
    return max(delay * (1 - share + 2 * share * chance), asked * (1 + share * chance))
