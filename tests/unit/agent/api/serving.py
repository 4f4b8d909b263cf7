# SPDX-License-Identifier: Apache-2.0
"""A real server of the socket, and a daemon that only listens."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ota_agent.api import ApiOptions
from ota_agent.api.server import ApiServer
from ota_agent.api.status import LiveStatus
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import PausePoint


@dataclass(kw_only=True)
class Daemon:
    """Notes what it is asked to do, and does so to its status alone.

    Attributes:
        heard: each call with its arguments, in order.
        refuses: why it does nothing now; empty: it does.
        refuses_with: the error that says so.
    """

    live: LiveStatus = field(default_factory=LiveStatus)
    heard: list[tuple[object, ...]] = field(default_factory=list)
    refuses: str = ""
    refuses_with: type[AgentError] = AgentError
    has_server: bool = True

    def install(self, source: str) -> None:
        self._hear("install", source)

    def commit(self) -> None:
        self._hear("commit")

    def rollback(self, reason: str) -> None:
        self._hear("rollback", reason)

    def resume(self) -> None:
        self._hear("resume")

    def check_update(self) -> None:
        self._hear("check_update")

    def send_inventory(self) -> None:
        self._hear("send_inventory")

    def pause(self, before: PausePoint) -> None:
        self._hear("pause", before)

    def hold(self, before: PausePoint) -> None:
        self._hear("hold", before)

    def release(self) -> None:
        self._hear("release")

    def go_on(self) -> None:
        self._hear("continue")
        self.live.change(waits_for="", paused_by="")

    def refuse(self, reason: str) -> None:
        self._hear("refuse", reason)

    def abort(self, reason: str) -> None:
        self._hear("abort", reason)

    def set_control_map(self, map: str) -> dict[str, int]:
        self._hear("set_control_map", map)
        return {"refresh": 900}

    def set_enabled(self, enabled: bool) -> None:
        self._hear("set_enabled", enabled)
        self.live.change(is_enabled=enabled)

    def set_window(self, window: str) -> None:
        self._hear("set_window", window)
        self.live.change(window=window)

    def token(self) -> dict[str, str]:
        self._hear("token")
        if self.live.get().is_authorized:
            return {"token": "header.claims.signature", "server": "https://server"}
        return {"token": "", "server": ""}

    def fetch_token(self) -> dict[str, bool]:
        self._hear("fetch_token")
        return {"is_fetching": self.has_server}

    def _hear(self, *call: object) -> None:
        if self.refuses:
            raise self.refuses_with(self.refuses)
        self.heard.append(call)


@contextmanager
def serving(path: Path, daemon: Daemon, **options: Any) -> Iterator[ApiServer]:
    """The server of that daemon's socket."""
    with ApiServer(path, ApiOptions(**options), daemon.live, daemon) as server:
        yield server


class Line:
    """A connection whose user types JSON."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(10)
        self._lines = self.socket.makefile("rb")

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self.socket.close()

    def send(self, data: bytes | str | dict[str, Any]) -> None:
        """Send bytes as they are, text and objects as a line."""
        if isinstance(data, dict):
            data = json.dumps(data)
        self.socket.sendall(data if isinstance(data, bytes) else f"{data}\n".encode())

    def next(self) -> Any:
        """The next line; None at the end."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def ask(self, call: str, **arguments: Any) -> Any:
        """The answer to one request."""
        self.send({"call": call, **arguments})
        return self.next()


def wait_until(is_true: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
