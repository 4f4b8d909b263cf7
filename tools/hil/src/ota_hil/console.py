# SPDX-License-Identifier: Apache-2.0
"""A board's console: read all the time, kept from power-on, never written to unbidden."""

import codecs
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ota_hil.errors import HilError

_PIECE = 1 << 16  # [B] read at once
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_SHOWN = 3000  # of what the board said last, in an error


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the console.

    Attributes:
        time: when its first character came [s], from power-on.
    """

    time: float
    text: str


class Console:
    """What a board says.

    A thread of its own reads it, so that nothing is lost between two calls of `expect` and the
    board never waits for its reader. Carriage returns are left out.

    Args:
        source: file descriptor to read, which stays the caller's.
        sink: file descriptor that `send` writes to; None: nothing can be sent.
        log: every line goes there as it comes, with its time.
    """

    def __init__(self, source: int, sink: int | None = None, *, log: Path | None = None) -> None:
        self._source, self._sink = source, sink
        self._log = log
        self._begun = time.monotonic()
        self._said = ""
        self._times: list[float] = []
        self._is_fresh = True
        self._matched = 0
        self._is_over = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True, name="console")
        self._reader.start()

    @property
    def said(self) -> str:
        """All that was said since power-on."""
        with self._news:
            return self._said

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, with their times."""
        with self._news:
            return tuple(map(Line, self._times, self._said.split("\n")))

    def expect(self, what: str | re.Pattern[str], *, timeout: float) -> str:
        """Wait until the board says something, after what was waited for last.

        Args:
            what: a text, or a pattern.
            timeout: how long [s].

        Returns:
            What was said up to its end, from the end of the last one.

        Raises:
            HilError: it was not said in time, or the console has ended without it.
        """
        find = _finder(what)
        end = time.monotonic() + timeout
        with self._news:
            while (found := find(self._said, self._matched)) is None:
                left = end - time.monotonic()
                if self._is_over or left <= 0:
                    why = "the console ended" if self._is_over else f"{timeout:g} s passed"
                    raise HilError(
                        f"{why} without {_shown(what)}; the board said last:\n"
                        f"{self._said[-_SHOWN:]}"
                    )
                self._news.wait(left)
            before = self._said[self._matched : found]
            self._matched = found
        return before

    def rest(self, *, timeout: float) -> str:
        """What is said up to the end of the console, as of a machine that stops at a reset.

        Raises:
            HilError: it did not end in time.
        """
        self._reader.join(timeout)
        with self._news:
            if not self._is_over:
                raise HilError(
                    f"{timeout:g} s passed without an end of the console; the board said last:\n"
                    f"{self._said[-_SHOWN:]}"
                )
            before, self._matched = self._said[self._matched :], len(self._said)
        return before

    def send(self, text: str) -> None:
        """Type something.

        Raises:
            HilError: the console can only be read.
            OSError: it is gone.
        """
        if self._sink is None:
            raise HilError("this console can only be read")
        data = text.encode()
        while data:
            data = data[os.write(self._sink, data) :]

    def close(self) -> None:
        """Wait for the reader, once the board is off."""
        self._reader.join(5)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while piece := os.read(self._source, _PIECE):
                self._hear(decoder.decode(piece).replace("\r", ""))
        except OSError:  # a terminal whose other side is closed
            pass
        finally:
            with self._news:
                self._is_over = True
                self._news.notify_all()

    def _hear(self, text: str) -> None:
        now = time.monotonic() - self._begun
        with self._news:
            self._said += text
            for line in _LINES.findall(text):
                if self._is_fresh:
                    self._times.append(now)
                    self._write(f"[{now:9.3f}] ")
                self._write(line)
                self._is_fresh = line.endswith("\n")
            self._news.notify_all()

    def _write(self, text: str) -> None:
        if self._log:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(text)


def _finder(what: str | re.Pattern[str]) -> Callable[[str, int], int | None]:
    """Gives where the first match from a place on ends; None: nowhere."""
    if isinstance(what, str):
        text = what

        def find(said: str, start: int) -> int | None:
            place = said.find(text, start)
            return None if place < 0 else place + len(text)

        return find
    pattern = what

    def search(said: str, start: int) -> int | None:
        match = pattern.search(said, start)
        return match.end() if match else None

    return search


def _shown(what: str | re.Pattern[str]) -> str:
    return repr(what if isinstance(what, str) else what.pattern)
