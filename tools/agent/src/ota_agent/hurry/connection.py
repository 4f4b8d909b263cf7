# SPDX-License-Identifier: Apache-2.0
"""Connections of urllib3, on such sockets."""

import os
import select
import socket
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ota_agent.hurry import end_after, require
from ota_agent.hurry.sockets import Plain, slice_until, wait_for


def arrived(response: Any, size: int) -> bytes:
    """What of a body has arrived, at most ``size`` [B]; it has been waited for."""
    # urllib3 1.26 would wait for all of it, and lose what has come if the connection is lost.
    read1 = getattr(response, "read1", None) or response._fp.read1
    found: bytes = read1(size)
    return found


class Hurried(HTTPConnection):
    """A connection of urllib3's, on a socket of ours."""

    def _new_conn(self) -> Any:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            return _connected(self._dns_host, self.port or 0, timeout, self.socket_options or ())
        except socket.gaierror as error:
            raise NewConnectionError(self, f"{self.host} is not known: {error.strerror}") from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting to {self.host} timed out") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(
                self, f"Failed to establish a new connection: {error}"
            ) from error


def _connected(host: str, port: int, timeout: float | None, options: Any) -> Plain:
    """A connection to the first address that takes one; each gets its share of the time."""
    end = end_after(timeout)
    found = _resolved(host, port, end)
    failure: OSError = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        now = time.monotonic()
        share = now + (end - now) / (len(found) - number)
        connection: Plain | None = None
        try:
            connection = Plain(family, kind, protocol)
            for option in options:
                connection.setsockopt(*option)
            _connect(connection, address, share)
            connection.settimeout(timeout)
            return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, OSError):
                raise
            failure = error
    raise failure


def _connect(connection: Plain, address: Any, end: float) -> None:
    connection.settimeout(0.0)
    with suppress(BlockingIOError):
        connection.connect(address)
        return
    wait_for(connection, select.POLLOUT, end)
    if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))


def _resolved(host: str, port: int, end: float) -> list[Any]:
    """The addresses of a host; the resolver cannot be interrupted, so a thread of its own waits.

    Raises:
        socket.gaierror: it has none.
        TimeoutError: nobody has said so in time.
    """
    name = host.strip("[]")
    with suppress(socket.gaierror):
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: list[Any] = []
    is_done = Event()

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        is_done.set()

    Thread(target=ask, name="resolver", daemon=True).start()
    while not is_done.wait(slice_until(end)):
        require()
        if time.monotonic() > end:
            raise TimeoutError("the name was not resolved in time")
    if isinstance(found[0], Exception):
        raise found[0]
    addresses: list[Any] = found[0]
    return addresses
