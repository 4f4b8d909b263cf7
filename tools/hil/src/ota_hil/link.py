# SPDX-License-Identifier: Apache-2.0
"""Access to a running board: SSH, through OpenSSH's client."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run, stream

_OPTIONS = (
    # A board under test creates new host keys whenever its /data is new.
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"),
)
_EXPANDED = re.compile(r"%|\$\{")
"""What ssh expands in the name of a key. Source: ssh_config(5), TOKENS."""
_IN_FOLDER = ("sh", "-c", 'cd "$0" && exec "$@"')
_PAUSE = 0.5  # [s] between two tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """Commands on a board.

    Attributes:
        key: a private key that the board accepts.
    """

    host: str
    port: int
    key: Path
    user: str = "root"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float = 120.0) -> str:
        """Run a command line on the board; gives what it prints.

        Args:
            stdin: what the command reads.
            timeout: how long it may take [s].

        Raises:
            ProgramError: it failed, or the board cannot be reached.
        """
        words = (*self._way, command)
        return run(words, timeout=timeout, stdin=stdin).decode("utf-8", "replace")

    def follow(self, command: str, hear: Callable[[str], None], *, silence: float) -> None:
        """Run a command line on the board, and pass on each line that it prints, as it comes.

        Args:
            hear: gets each line.
            silence: how long it may print nothing [s].

        Raises:
            ProgramError: it failed, was silent for too long, or the board cannot be reached.
        """
        said = bytearray()

        def pass_on(piece: bytes) -> None:
            said.extend(piece)
            *lines, rest = said.split(b"\n")
            said[:] = rest
            for line in lines:
                hear(line.decode("utf-8", "replace"))

        ended = stream((*self._way, f"{command} 2>&1"), silence=silence, sink=pass_on)
        pass_on(b"\n" if said else b"")
        if ended.code:
            raise ProgramError(f"{command}: exit code {ended.code}: {ended.said}")

    @property
    def _way(self) -> tuple[str | Path, ...]:
        address = ("-p", str(self.port), f"{self.user}@{self.host}")
        if _EXPANDED.search(str(self.key.parent)):
            return (*_IN_FOLDER, self.key.parent, "ssh", *_OPTIONS, "-i", self.key.name, *address)
        return ("ssh", *_OPTIONS, "-i", self.key, *address)

    def wait(self, *, timeout: float) -> None:
        """Wait until the board can be logged in to.

        Args:
            timeout: how long [s].

        Raises:
            ProgramError: it could not in time; the reason of the last try.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                self.run("true", timeout=max(1.0, end - time.monotonic()))
                return
            except ProgramError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_PAUSE)
