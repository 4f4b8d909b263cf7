# SPDX-License-Identifier: Apache-2.0
"""A board's console: read all the time, kept from power-on, written to only on request."""

import codecs
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.terminal import indented
from ota_hil.errors import HilError

_PIECE = 1 << 16  # [B] read at once
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_OURS = ("OTA: ", "ota: ", "ota-agent: ")
_BEFORE = r"\S+ login: |\[ *\d+\.\d+\] |ota-agent\[\d+\]: |\x1b[\[(][0-9;?]*[A-Za-z0-9]"
"""What may come before a line of ours: a prompt, systemd's marks, an escape sequence of GRUB's."""
_SHOWN = 3000  # characters of the last output, in an error


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the console.

    Attributes:
        time: when its first character came [s], from power-on.
    """

    time: float
    text: str


class Console:
    """What a board prints.

    A thread reads it, so that nothing is lost between two calls of `expect` and the board never
    waits for its reader. Carriage returns are dropped.

    Args:
        source: file descriptor to read, which the caller closes.
        sink: file descriptor that `send` writes to; None for a read-only console.
        log: gets every line as it comes, with its time.
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
        """Everything that was printed since power-on."""
        with self._news:
            return self._said

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, with their times."""
        with self._news:
            return tuple(map(Line, self._times, self._said.split("\n")))

    def expect(self, what: str | re.Pattern[str], *, timeout: float) -> str:
        """Wait until the board prints something, after the end of the last match.

        Args:
            what: a text, or a pattern. A text that begins as the lines of OTA Kit do has to begin
                a line, so that nothing else that the board prints can pass for it.
            timeout: how long [s].

        Returns:
            What was printed from the end of the last match to the end of this one.

        Raises:
            HilError: it was not printed in time, or the console ended before.
        """
        find = _finder(what)
        end = time.monotonic() + timeout
        with self._news:
            while (found := find(self._said, self._matched)) is None:
                left = end - time.monotonic()
                if self._is_over or left <= 0:
                    when = "before the console ended" if self._is_over else f"in {timeout:g} s"
                    raise HilError(
                        f"no {_shown(what)} {when}; the board's last output:\n"
                        f"{indented(self._said[-_SHOWN:])}"
                    )
                self._news.wait(left)
            before = self._said[self._matched : found]
            self._matched = found
        return before

    def rest(self, *, timeout: float) -> str:
        """What is printed until the console ends, as it does on a machine that stops at a reset.

        Raises:
            HilError: it did not end in time.
        """
        self._reader.join(timeout)
        with self._news:
            if not self._is_over:
                raise HilError(
                    f"the console did not end in {timeout:g} s; the board's last output:\n"
                    f"{indented(self._said[-_SHOWN:])}"
                )
            before, self._matched = self._said[self._matched :], len(self._said)
        return before

    def send(self, text: str) -> None:
        """Type something.

        Raises:
            HilError: the console is read-only.
            OSError: it has gone.
        """
        if self._sink is None:
            raise HilError("this console is read-only")
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
    """A function that gives the end of the first match after a place, or None."""
    if isinstance(what, str) and what.startswith(_OURS):
        what = re.compile(rf"^(?:{_BEFORE})*{re.escape(what)}", re.MULTILINE)
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
