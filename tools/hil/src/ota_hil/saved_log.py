# SPDX-License-Identifier: Apache-2.0
"""The lines of a saved console log, of any program, whatever is in the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_LONGEST = 1 << 14  # [B] of a line; what is longer is read as several

_ESCAPE = re.compile(  # Source: ECMA-48, 5.4 and 8.3.89
    rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[@-Z\\-_])"
)
_UNPRINTABLE = re.compile(rb"[^ -~]+")

_SECONDS = re.compile(r"\[ *(\d{1,9}\.\d{3})\] ")  # of this kit's own logs
_GRABSERIAL = re.compile(r"\[(\d{1,9}\.\d{6}) \d{1,9}\.\d{6}\] ")
_CLOCK = re.compile(  # of tio, minicom and ts
    r"\[?(?:\d{4}-\d\d-\d\d[T ])?(\d\d):(\d\d):(\d\d(?:\.\d{1,9})?)\]? "
)


@dataclass(frozen=True, slots=True)
class Heard:
    """A line of the log.

    Attributes:
        number: of the line, from 1.
        time: when it came [s], from any moment on; None if the log does not say.
        text: printable ASCII, without the time.
    """

    number: int
    time: float | None
    text: str


def lines_of(log: BinaryIO) -> Iterator[Heard]:
    """The lines of a log, in bounded memory.

    Escape sequences and all that is not printable ASCII are left out, so that UTF-16 as some
    terminals of Windows save it can be read too. Time never goes back: where it does so in the log,
    a clock was set, or another log was appended.
    """
    number, last, offset = 1, 0.0, 0.0
    while raw := log.readline(_LONGEST):
        text = _UNPRINTABLE.sub(b"", _ESCAPE.sub(b"", raw.replace(b"\t", b" "))).decode("ascii")
        time, text = _split(text)
        if time is not None:
            offset = max(offset, last - time)
            time = last = time + offset
        yield Heard(number, time, text)
        number += raw.endswith(b"\n")


def _split(text: str) -> tuple[float | None, str]:
    """The time before a line, if there is one, and the line."""
    for pattern in (_SECONDS, _GRABSERIAL):
        if match := pattern.match(text):
            return float(match[1]), text[match.end() :]
    if match := _CLOCK.match(text):
        hours, minutes, seconds = match.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds), text[match.end() :]
    return None, text
