# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy: tunnels for CONNECT, and plain requests passed on."""

import http.server
import select
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_DEADLINE = 10.0  # [s]
_PIECE = 1 << 16  # [B]


@dataclass(slots=True)
class Proxy:
    """The requests to a proxy.

    Attributes:
        requests: method, target and Proxy-Authorization of each.
    """

    port: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy on loopback."""
    told = Proxy()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self._note()
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), _DEADLINE) as far:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, far)
            self.close_connection = True

        def do_GET(self) -> None:
            self._note()
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(self.path, timeout=_DEADLINE) as answer:
                body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

        def _note(self) -> None:
            authorization = self.headers.get("Proxy-Authorization", "")
            told.requests.append((self.command, self.path, authorization))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        told.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join(_DEADLINE)


def _relay(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    while True:
        ready, _, _ = select.select(list(other), [], [], _DEADLINE)
        for each in ready:
            piece = each.recv(_PIECE)
            if not piece:
                return
            other[each].sendall(piece)
        if not ready:
            return
