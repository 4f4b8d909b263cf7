# SPDX-License-Identifier: Apache-2.0
"""The servers that the programs talk to: processes of their own, whose cost does not count."""

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
    """A server that shows the requests that it gets.

    Attributes:
        url: its address.
        seen: every request so far: time [s], path, status, agent.
    """

    process: Background
    url: str = ""
    seen: list[dict[str, object]] = field(default_factory=list)
    _begun: bytes = b""

    def polls(self, *, is_ours: bool, since: float = 0.0) -> list[float]:
        """The times of a program's requests for a deployment that were answered with none [s]."""
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
        """Read what it has printed."""
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
    """The simulated server with TLS; the folder has the authority that signed its certificate.

    Raises:
        ProgramError: it does not start.
    """
    with _background(sys.executable, "-m", "bench.agent.serve", str(folder)) as process:
        os.set_blocking(process.output, False)
        server = Watched(process=process)
        end = time.monotonic() + _READY
        while not server.seen:
            if time.monotonic() > end:
                raise ProgramError(f"the simulated server: did not start within {_READY:g} s")
            time.sleep(0.02)
            server.look()
        server.url = str(server.seen.pop(0)["url"])
        yield server


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Python's own HTTP server for a folder; yields its address.

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
