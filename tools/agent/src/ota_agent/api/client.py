# SPDX-License-Identifier: Apache-2.0
"""Talks to the agent that serves the socket: for commands, which may block."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ota_agent.api.messages import HEARTBEAT, parse_answer, request_line
from ota_agent.api.status import Status, from_json
from ota_agent.errors import AgentError

_PATIENCE = 10.0  # [s] for an answer
_BREATH = 0.05  # [s] before the next try
_SILENCE = HEARTBEAT * 2  # [s] for a watcher's next line


class NoAgent(AgentError):
    """No agent serves there."""


class Client:
    """One connection to the agent, open for a `with` block.

    Raises:
        NoAgent: none serves there.
        AgentError: the connection fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = _connect(path)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def call(self, call: str, **arguments: Any) -> Any:
        """Send one request; gives its result.

        Raises:
            Wrong: the agent refuses, or fails; the text says why.
            AgentError: it does not answer.
        """
        self._send(call, arguments)
        return self._next()["result"]

    def status(self) -> Status:
        """What the agent is doing.

        Raises:
            AgentError: it does not answer.
        """
        return from_json(self.call("status"))

    def watch(self) -> Iterator[Status]:
        """What the agent is doing, now and after each change, until it ends.

        The same one comes again when nothing has changed for a while. From then on this connection
        is for watching only.

        Raises:
            NoAgent: it has ended.
            AgentError: it has fallen silent.
        """
        self._send("watch", {})
        self._next()
        self._socket.settimeout(_SILENCE)
        while True:
            yield from_json(self._next()["status"])

    def _send(self, call: str, arguments: dict[str, Any]) -> None:
        with suppress(OSError):  # an agent that closed the connection has said why
            self._socket.sendall(request_line(call, arguments))

    def _next(self) -> Any:
        try:
            line = self._lines.readline()
        except TimeoutError as error:
            raise AgentError(
                f"{self._path}: the agent does not answer; is the device very busy?"
            ) from error
        except OSError as error:
            raise NoAgent(f"{self._path}: the agent has ended ({error.strerror})") from error
        if not line:
            raise NoAgent(f"{self._path}: the agent has ended; see its log")
        return parse_answer(line)


def _connect(path: Path) -> socket.socket:
    """Connect, as soon as the queue of the socket has room.

    Raises:
        NoAgent: none serves there.
        AgentError: the connection fails.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PATIENCE)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.connect(str(path))
            return connection
        except BlockingIOError as error:  # the queue is full. Source: connect(2), EAGAIN
            if time.monotonic() > end:
                connection.close()
                raise _explained(path, error) from error
            time.sleep(_BREATH)
        except OSError as error:
            connection.close()
            raise _explained(path, error) from error


def _explained(path: Path, error: OSError) -> AgentError:
    match error.errno:
        case errno.ENOENT | errno.ECONNREFUSED | errno.ENOTDIR:
            return NoAgent(f"{path}: no agent serves there; start it with: ota-agent daemon")
        case errno.EACCES | errno.EPERM:
            return AgentError(f"{path}: permission denied; run as root or join the socket's group")
        case _:
            return AgentError(f"{path}: {error.strerror or error}; does an agent serve there?")
