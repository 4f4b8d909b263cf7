# SPDX-License-Identifier: Apache-2.0
"""One connection to the socket: its incoming and outgoing lines, both bounded."""

import socket
from dataclasses import dataclass, field

from ota_agent.api.messages import HEARTBEAT, LONGEST, error_line, status_line
from ota_agent.api.quota import Quota
from ota_agent.api.status import Status

EVERY = 0.2
"""A watcher gets a change at most this often [s]."""

PATIENCE = 30.0
"""A client that does not read what it is sent is dropped after this [s]."""

QUIET = 300.0
"""A client that neither asks nor watches is dropped after this [s]."""


class Gone(Exception):
    """The connection has ended."""


@dataclass(slots=True, eq=False, kw_only=True)
class Peer:
    """A client that has connected.

    Attributes:
        uid: the user.
        is_root: may send every request.
        quota: of those who are not root, all of them together.
        since: when it last sent something, or read what it was sent [s].
        watched: the number of the last change that it was sent; None if it does not watch.
        told: when it was last sent a status [s].
    """

    socket: socket.socket
    uid: int
    is_root: bool
    since: float
    watched: int | None = None
    told: float = 0.0
    quota: Quota = field(default_factory=Quota)
    _in: bytearray = field(default_factory=bytearray)
    _out: bytearray = field(default_factory=bytearray)
    _is_ending: bool = False

    @property
    def wants_to_write(self) -> bool:
        """It has not yet read all that it was sent."""
        return bool(self._out)

    def read(self, now: float) -> None:
        """Receive what it has sent.

        Raises:
            Gone: it has left.
        """
        try:
            found = self.socket.recv(LONGEST + 1 - len(self._in), socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise Gone from error
        self.since = now
        self._in += found
        if not found:
            self._is_ending = True

    def next_line(self) -> bytes | None:
        """The next of its requests; None while there is none, or an answer is still on its way.

        Raises:
            Gone: it has sent its last one.
        """
        if self._out:
            return None
        line, end, rest = self._in.partition(b"\n")
        if end:
            self._in = rest
            return bytes(line)
        if self._is_ending:  # half a line was cut off on the way: it is not a request
            raise Gone
        if len(self._in) > LONGEST:
            self._in.clear()
            self._is_ending = True
            self.send(error_line("invalid", f"the line is longer than {LONGEST} bytes"), self.since)
            return self.next_line()
        return None

    def send(self, line: bytes, now: float) -> None:
        """Send a line, as much of it as goes now.

        Raises:
            Gone: it has left.
        """
        if not self._out:
            self.since = now
        self._out += line
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what has not gone yet, as much of it as goes now.

        Raises:
            Gone: it has left.
        """
        try:
            sent = self.socket.send(self._out, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise Gone from error
        if sent:
            self.since = now
            del self._out[:sent]

    def tell(self, number: int, status: Status, now: float) -> None:
        """Send the status, if it watches and the status is due.

        Raises:
            Gone: it has left.
        """
        if self.watched is not None and not self._out and now >= self._due(number):
            self.watched, self.told = number, now
            self.send(status_line(status), now)

    def deadline(self, number: int) -> float:
        """When it next needs attention [s].

        Args:
            number: of the last change.
        """
        if self._out:
            return self.since + PATIENCE
        return self.since + QUIET if self.watched is None else self._due(number)

    def check(self, now: float) -> None:
        """Raises:
        Gone: it has been silent, or not reading, for too long.
        """
        if (self._out or self.watched is None) and now >= self.deadline(0):
            raise Gone

    def _due(self, number: int) -> float:
        return self.told + (EVERY if number != self.watched else HEARTBEAT)
