# SPDX-License-Identifier: Apache-2.0
"""A server that means ill: it drips, it floods, it falls silent, wherever HTTP lets it."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.simulators.certificates import Certificate

_PAUSE = 0.02  # [s] between two drops
_LONGEST = 60.0  # [s] of a silence


@dataclass(frozen=True, slots=True)
class Drip:
    """An answer without an end.

    Attributes:
        begin: comes at once.
        drops: come one byte after the other, and then again from their start; empty: it falls
            silent.
        pause: between two bytes; 0: they come as fast as they can [s].
    """

    begin: bytes
    drops: bytes = b""
    pause: float = _PAUSE


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"

DRIPS: Mapping[str, Drip] = {
    "silence": Drip(b""),
    "status line": Drip(b"HTTP/1.1 200 ", b"x"),
    "header": Drip(_OK + b"X: ", b"x"),
    "headers": Drip(_OK, b"X: y\r\n"),
    "half a head": Drip(_OK + b"X: y\r\n"),
    "interim answer": Drip(b"HTTP/1.1 100 Continue\r\nX: ", b"x"),
    "interim answers": Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "flood of interim answers": Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, 0.0),
    "chunk's size": Drip(_CHUNKED, b"0"),
    "chunk's extension": Drip(_CHUNKED + b"1;x=", b"x"),
    "chunks": Drip(_CHUNKED, b"1\r\nx\r\n"),
    "trailer": Drip(_CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x"),
    "trailers": Drip(_CHUNKED + b"0\r\n", b"X: y\r\n"),
    "flood of trailers": Drip(_CHUNKED + b"0\r\n", b"X: y\r\n" * 100, 0.0),
    "body": Drip(_OK + b"Content-Length: 9999\r\n\r\n", b"x"),
    "body without length": Drip(_OK + b"\r\n", b"x"),
    "error's body": Drip(b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n", b"x"),
}
"""By the place where it drips."""

HANDSHAKE = Drip(b"\x16\x03\x03\x40\x00", b"x")
"""The first record of TLS."""


@contextmanager
def hostile(
    drip: Drip, *, certificate: Certificate | None = None, is_reading: bool = True
) -> Iterator[str]:
    """Gives the address of a server that answers so.

    Args:
        certificate: it answers over TLS.
        is_reading: whether it reads what it is asked, at all.
    """
    is_over = threading.Event()
    context: ssl.SSLContext | None = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)

    def serve(listening: socket.socket) -> None:
        while not is_over.is_set():
            with suppress(OSError):
                client, _ = listening.accept()
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client: socket.socket) -> None:
        with suppress(OSError), client:
            client.settimeout(_LONGEST)
            if not is_reading:
                is_over.wait(_LONGEST)
                return
            with context.wrap_socket(client, server_side=True) if context else client as secure:
                secure.recv(1 << 16)
                secure.sendall(drip.begin)
                drop_all(secure)

    def drop_all(client: socket.socket) -> None:
        if not drip.drops:
            is_over.wait(_LONGEST)
        while not is_over.is_set():
            if not drip.pause:
                client.sendall(drip.drops)
                continue
            for each in drip.drops:
                client.sendall(bytes([each]))
                if is_over.wait(drip.pause):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        scheme = "https" if certificate else "http"
        try:
            yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/a"
        finally:
            is_over.set()
            with suppress(OSError), socket.create_connection(listening.getsockname(), 1):
                pass
            thread.join(5)
