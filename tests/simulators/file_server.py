# SPDX-License-Identifier: Apache-2.0
"""A real HTTP(S) server with one file, which works correctly, or fails in a chosen way."""

import http.server
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.simulators.certificates import Certificate

_PIECE = 1 << 16  # [B]
_DEADLINE = 20.0  # [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a request is answered; by default correctly.

    Attributes:
        status: a status other than 200 or 206, without the file.
        headers: more headers, or other values; an empty one is left out.
        reset_after: so much of the body, then the connection is reset; -1 before the answer [B].
        close_after: so much of the body, then the connection is closed as if that were all [B].
        stall_after: so much of the body, then nothing [B].
        drip: bytes that come at once, with a pause of 10 ms between them; 0 for no such thing [B].
        has_ranges: requests for a part are answered with that part.
        is_chunked: the length is not sent.
        page: sent in place of the file, or of the part of it, with the status 200.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    reset_after: int | None = None
    close_after: int | None = None
    stall_after: int | None = None
    drip: int = 0
    has_ranges: bool = True
    is_chunked: bool = False
    page: bytes | None = None


GOOD = Manner()


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for: the byte to start from [B], and the condition."""

    path: str
    start: int
    if_range: str


@dataclass(kw_only=True)
class FileServer:
    """What it serves and how, and the requests that it got.

    Attributes:
        content: of the file, at any path.
        etag: as sent; empty for none.
        modified: Last-Modified as sent; empty for none.
        next: how the next requests are answered, one each.
        manner: how all others are.
        requests: in their order.
        sent: bytes of bodies, all together [B].
    """

    content: bytes
    etag: str = '"1"'
    modified: str = ""
    next: list[Manner] = field(default_factory=list)
    manner: Manner = GOOD
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def shows(self, certificate: Certificate) -> None:
        """Have the next connections get a certificate."""
        self.context.load_cert_chain(certificate.path, certificate.key_path)


@contextmanager
def file_server(
    content: bytes, *, tls: Certificate | None = None, etag: str = '"1"', modified: str = ""
) -> Iterator[FileServer]:
    """A server on loopback, with TLS if it has a certificate."""
    told = FileServer(content=content, etag=etag, modified=modified)

    class Handler(_Handler):
        server_told = told

    with _Quiet(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            told.shows(tls)
            server.socket = told.context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        told.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/a.mender"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield told
        finally:
            told.over.set()
            server.shutdown()
            thread.join(_DEADLINE)


class _Quiet(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores clients that hang up, which tests do on purpose."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_told: FileServer
    timeout = _DEADLINE

    def do_GET(self) -> None:
        told = self.server_told
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        condition = self.headers.get("If-Range", "")
        with told.lock:
            told.requests.append(Request(self.path, start, condition))
            manner = told.next.pop(0) if told.next else told.manner
        self.close_connection = True
        if manner.reset_after == -1:
            self._reset()
            return
        if manner.status:
            self._head(manner, manner.status, {"Content-Length": "0"})
            return
        if manner.page is not None:
            length = "" if manner.is_chunked else str(len(manner.page))
            self._head(manner, 200, {"Content-Length": length, "ETag": ""})
            self.wfile.write(manner.page)
            return
        is_same = condition in ("", told.etag or told.modified)
        if not (match and manner.has_ranges and is_same):
            start = 0
        elif start >= len(told.content):
            self._head(manner, 416, {"Content-Range": f"bytes */{len(told.content)}"})
            return
        self._body(manner, told.content[start:], start if match and manner.has_ranges else 0)

    def _body(self, manner: Manner, body: bytes, start: int) -> None:
        total = len(self.server_told.content)
        headers = {"Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        if manner.is_chunked:
            headers = {**headers, "Content-Length": "", "Transfer-Encoding": "chunked"}
        self._head(manner, 206 if start else 200, headers)
        ends = [manner.reset_after, manner.close_after, manner.stall_after]
        end = next((each for each in ends if each is not None), None)
        self._send(manner, body[:end])
        if end is not None and end < len(body):
            if manner.stall_after is not None:
                self.server_told.over.wait(_DEADLINE)
            elif manner.reset_after is not None:
                self._reset()
        elif manner.is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, manner: Manner, body: bytes) -> None:
        size = manner.drip or _PIECE
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            frame = b"%x\r\n%s\r\n" % (len(piece), piece) if manner.is_chunked else piece
            self.wfile.write(frame)
            with self.server_told.lock:
                self.server_told.sent += len(piece)
            if manner.drip:
                self.server_told.over.wait(0.01)

    def _head(self, manner: Manner, status: int, headers: Mapping[str, str]) -> None:
        told = self.server_told
        every = {
            "ETag": told.etag,
            "Last-Modified": told.modified,
            "Connection": "close",
            **headers,
            **manner.headers,
        }
        self.send_response(status)
        for name, value in every.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())  # at once, and so with RST

    def log_message(self, format: str, *args: object) -> None: ...


def moved(url: str, status: int = 302) -> Manner:
    """A redirect to another address."""
    return replace(GOOD, status=status, headers={"Location": url})
