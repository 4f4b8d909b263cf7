# SPDX-License-Identifier: Apache-2.0
"""The servers that the programs talk to, each a process of its own: it costs them nothing."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import Background

_READY = 30.0  # [s]
_POLL = "/deployments/next"


@dataclass(kw_only=True)
class Watched:
    """A server whose requests are seen.

    Attributes:
        url: where it is.
        seen: every request so far: time [s], path, status, agent.
    """

    process: Background
    url: str = ""
    seen: list[dict[str, object]] = field(default_factory=list)
    _begun: bytes = b""

    def polls(self, *, is_ours: bool, since: float = 0.0) -> list[float]:
        """When a program asked for a deployment, and was answered that there is none [s]."""
        self.look()
        return [
            float(str(each["time"]))
            for each in self.seen
            if _POLL in str(each["path"])
            and each["status"] == 204
            and str(each["agent"]).startswith("ota-agent/") == is_ours
            and float(str(each["time"])) >= since
        ]

    def look(self) -> None:
        """Take what it has said."""
        while True:
            try:
                piece = os.read(self.process.output, 1 << 16)
            except BlockingIOError:
                return
            if not piece:
                raise ProgramError(f"the simulated server ended: {self._begun.decode()}")
            *lines, self._begun = (self._begun + piece).split(b"\n")
            self.seen += [json.loads(line) for line in lines]


@contextmanager
def watched_server(folder: Path) -> Iterator[Watched]:
    """The simulated server with TLS; the authority that signed for it is in the folder.

    Raises:
        ProgramError: it does not start.
    """
    with _background(sys.executable, "-m", "bench.agent.serve", str(folder)) as process:
        os.set_blocking(process.output, False)
        server = Watched(process=process)
        end = time.monotonic() + _READY
        while not server.seen:
            if time.monotonic() > end:
                raise ProgramError(f"the simulated server: is not there after {_READY:g} s")
            time.sleep(0.02)
            server.look()
        server.url = str(server.seen.pop(0)["url"])
        yield server


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Python's own HTTP server of a folder; gives its address.

    Raises:
        ProgramError: it does not start.
    """
    words = ("-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), "0")
    with _background(sys.executable, *words) as process:
        said = os.read(process.output, 1 << 12).decode()
        found = re.search(r"\((http://[^)]+?)/?\)", said)
        if not found:
            raise ProgramError(f"http.server: {said}")
        yield found[1]


@contextmanager
def _background(*argv: str) -> Iterator[Background]:
    process = Background(argv)
    try:
        yield process
    finally:
        process.kill()
        process.close()
