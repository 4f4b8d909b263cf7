# SPDX-License-Identifier: Apache-2.0
"""Prints the log on stderr; on a terminal, progress stays in one line."""

import logging
import re
import sys

from ota_agent.address import hide
from ota_artifact.terminal import indented, steer

_PROGRESS = re.compile(r"ota-agent: install: .* \d+ %")  # and not a program that says so
_CLEAR = "\r\033[K"
_LONGEST = 1 << 14  # characters of a message


class Console(logging.Handler):
    """Prints the log as ``ota-agent: <text>``."""

    def __init__(self) -> None:
        super().__init__()
        self._is_terminal = sys.stderr.isatty()
        self._is_open = False  # the last line is progress, and has no end yet

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            text = f"ota-agent: {indented(hide(record.getMessage()[:_LONGEST]))}"
            is_progress = self._is_terminal and _PROGRESS.fullmatch(text) is not None
            if is_progress:
                steer(sys.stderr, _CLEAR)
                sys.stderr.write(text)
            else:
                sys.stderr.write(f"{chr(10) if self._is_open else ''}{text}\n")
            sys.stderr.flush()
            self._is_open = is_progress
        except (OSError, ValueError):  # stderr was closed
            pass

    def end(self) -> None:
        """End a line of progress that is open."""
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False


def log_to_console(level: str) -> Console:
    """Have the agent's log printed from ``level`` on: debug, info, warning, error."""
    console = Console()
    console.setLevel(level.upper())
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if level == "debug" else logging.INFO)
    root.handlers[:] = [console]
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return console
