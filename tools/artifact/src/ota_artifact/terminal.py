# SPDX-License-Identifier: Apache-2.0
"""Text from outside, for people: it neither steers their terminal nor looks like our own lines.

A server, an artifact, an image or a program's output may hold escape sequences, characters that
turn the direction of writing, and line ends behind which a forged line begins.
"""

import io
import sys
from typing import TextIO

from ota_artifact.names import printable

_INDENT = "    "
_KEPT = "\n\t"


def indented(text: str) -> str:
    """The text in as many lines as it has: those after the first cannot be taken for ours."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").replace("\t", " ").split("\n")
    return f"\n{_INDENT}".join(map(printable, lines))


class Guarded(io.TextIOWrapper):
    """A stream for people, which makes visible whatever is not a text, a tab or a line end."""

    def write(self, text: str, /) -> int:
        """As of any stream."""
        if not text.isprintable():
            text = "".join(each if each in _KEPT else printable(each) for each in text)
        return super().write(text)

    def steer(self, text: str) -> None:
        """Write a text of our own that may move the cursor."""
        super().write(text)


def guard() -> None:
    """Have everything that this process prints on stdout and stderr made visible."""
    for name in ("stdout", "stderr"):
        old = getattr(sys, name)
        if type(old) is io.TextIOWrapper:
            line, through = old.line_buffering, old.write_through
            new = Guarded(
                old.detach(),
                old.encoding,
                "backslashreplace",
                line_buffering=line,
                write_through=through,
            )
            setattr(sys, name, new)
            setattr(sys, f"__{name}__", new)


def steer(stream: TextIO, text: str) -> None:
    """Write a text of our own that may move the cursor; nothing from outside is in it."""
    if isinstance(stream, Guarded):
        stream.steer(text)
    else:
        stream.write(text)


class Steered(io.TextIOBase):
    """A stream whose every text is our own, such as that of a progress bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        """As of any stream."""
        steer(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """As of any stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """As of any stream."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As of any stream."""
        return self._stream.fileno()
