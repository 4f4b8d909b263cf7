# SPDX-License-Identifier: Apache-2.0
"""An end for what a socket's timeout leaves open, which counts from byte to byte.

In the head of an answer, a byte a minute would hold the agent for weeks.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from urllib3.connection import HTTPConnection

_TIMES = 2
"""How many of its timeouts a proxy's consent, a handshake, or the head of an answer may take."""


@contextmanager
def ending(sock: socket.socket, seconds: float | None) -> Iterator[None]:
    """Hang up if it takes longer [s].

    Raises:
        TimeoutError: it did, whatever else was made of what had come until then.
    """
    if seconds is None:
        yield
        return
    same = socket.socket(fileno=os.dup(sock.fileno()))  # TLS takes the first one away
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        with suppress(OSError):  # it is lost already
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        same.close()
        if is_late.is_set():
            raise TimeoutError("timed out, although a little came all the time")


@contextmanager
def reading(response: Any) -> Iterator[None]:
    """The same for a piece of a body, if it comes in chunks: each of them has a head of its own.

    Raises:
        TimeoutError: as `ending`.
    """
    inner = getattr(response, "_original_response", None)  # of urllib3 1.26
    found = getattr(response, "hurried", None) or getattr(inner, "hurried", None)
    if not found or not getattr(response, "chunked", False):
        yield
        return
    sock, seconds = found
    with ending(sock, seconds):
        yield


class Hurried(HTTPConnection):
    """A connection that is made, and whose answers begin, in time."""

    def connect(self) -> None:
        """As urllib3's."""
        with ExitStack() as self._opening:
            super().connect()

    def _new_conn(self) -> socket.socket:
        found = super()._new_conn()
        self._opening.enter_context(ending(found, self._limit(found)))
        return found

    def getresponse(self) -> Any:
        """As urllib3's."""
        sock, limit = self.sock, self._limit(self.sock)
        found: Any = None
        try:
            with ending(sock, limit):
                found = super().getresponse()
        except TimeoutError:
            if found is not None:
                found.close()
            raise
        found.hurried = sock, limit
        return found

    def _limit(self, sock: socket.socket) -> float | None:
        """How long it may take [s]: urllib3 keeps the timeout in one of two places."""
        known = [
            each for each in (self.timeout, sock.gettimeout()) if isinstance(each, int | float)
        ]
        return _TIMES * float(max(known)) if known else None
