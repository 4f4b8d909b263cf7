# SPDX-License-Identifier: Apache-2.0
"""Serves files by HTTPS, with ranges: the board of the demo downloads from here."""

import os
import re
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

_PIECE = 1 << 18  # [B]
_RANGE = re.compile(r"bytes=(\d+)-")


@contextmanager
def served(files: Mapping[str, Path], certificate: Path, key: Path) -> Iterator[int]:
    """Serve files by their names on loopback, where boards in QEMU reach them; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = type("Handler", (_Handler,), {"files": dict(files)})
    with _Server(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever, daemon=True, name="files").start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: object) -> None:
        """Print a traceback for our own faults only: a client may leave in mid-download."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    files: ClassVar[dict[str, Path]] = {}

    def do_GET(self) -> None:
        """Send a file, or its end from an offset."""
        path = self.files.get(self.path.lstrip("/"))
        if path is None:
            self.send_error(404)
            return
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            match = _RANGE.fullmatch(self.headers.get("Range", ""))
            start = int(match[1]) if match else 0
            if start >= size:
                self.send_error(416)
                return
            self.send_response(206 if match else 200)
            self.send_header("ETag", f'"{size}-{path.stat().st_mtime_ns}"')
            self.send_header("Content-Length", str(size - start))
            if match:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.end_headers()
            file.seek(start)
            while piece := file.read(_PIECE):
                self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the board prints what it does."""
