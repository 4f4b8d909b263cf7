# SPDX-License-Identifier: Apache-2.0
"""Sockets that wait no longer than their block may take, and that an abort or a signal ends."""

import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ota_agent.hurry import end_after, require

_SLICE = 0.25  # [s] of a wait, until it looks whether to continue
_AGAIN = BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError
_Result = TypeVar("_Result")


class _Patient(socket.socket):
    """A socket whose timeout is one of two limits, the other one being `within`."""

    _timeout: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        """As of any socket, for each wait [s]."""
        self._timeout = value
        super().settimeout(0.0)

    def gettimeout(self) -> float | None:
        """As of any socket."""
        return self._timeout

    def send(self, *words: Any) -> int:
        """As of any socket."""
        return _patiently(self, select.POLLOUT, super().send, *words)


class Plain(_Patient):
    """Without TLS."""

    def recv(self, *words: Any) -> bytes:
        """As of any socket."""
        return _patiently(self, select.POLLIN, super().recv, *words)

    def recv_into(self, *words: Any) -> int:
        """As of any socket."""
        return _patiently(self, select.POLLIN, super().recv_into, *words)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As of any socket."""
        with memoryview(data).cast("B") as left:
            done = 0
            while done < len(left):
                done += self.send(left[done:], flags)


class Secure(_Patient, ssl.SSLSocket):
    """With TLS: what an `ssl.SSLContext` makes, if it is its ``sslsocket_class``."""

    def do_handshake(self, block: bool = False) -> None:
        """As of any socket; whether it blocks is not up to the caller."""
        _patiently(self, select.POLLIN, super().do_handshake)

    def read(self, *words: Any, **more: Any) -> Any:
        """As of any socket."""
        return _patiently(self, select.POLLIN, lambda: super(Secure, self).read(*words, **more))


def _patiently(
    sock: socket.socket, events: int, work: Callable[..., _Result], *words: object
) -> _Result:
    """What the work gives, as soon as the socket lets it.

    Args:
        events: that it waits for, unless TLS says which.

    Raises:
        TimeoutError: the socket's timeout, or the time of the block, is over.
    """
    end = end_after(sock.gettimeout())
    while True:
        require()
        try:
            return work(*words)
        except _AGAIN as error:
            if isinstance(error, ssl.SSLError):
                is_reading = isinstance(error, ssl.SSLWantReadError)
                events = select.POLLIN if is_reading else select.POLLOUT
        wait_for(sock, events, end)


def wait_for(sock: socket.socket, events: int, end: float) -> None:
    """Wait until a socket is ready, or has failed.

    Raises:
        TimeoutError: it takes too long.
    """
    ready = select.poll()
    ready.register(sock, events)
    while not ready.poll(1000 * slice_until(end)):
        require()
        if time.monotonic() > end:
            raise TimeoutError("timed out")


def slice_until(end: float) -> float:
    """How long to wait before the next look [s]."""
    return max(0.0, min(_SLICE, end - time.monotonic() + 0.001))
