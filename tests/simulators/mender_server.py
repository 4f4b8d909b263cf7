# SPDX-License-Identifier: Apache-2.0
"""A Mender server: the device API over HTTP or HTTPS, with faults on the way.

By hand: ``python -m tests.simulators.mender_server --artifact F`` deploys F to every device that
asks, and prints what each one reports.
"""

import argparse
import email.utils
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.simulators.certificates import Certificate
from tests.simulators.mender_fleet import Deployment, Device, Fleet, Refused

_BODY_LIMIT = 1 << 20  # [B] Source: Mender's server, SERVICE_REQUEST_SIZE_LIMIT
_PIECE = 1 << 16  # [B]
_DEPLOYMENT = re.compile(r"/api/devices/v([12])/deployments/device/deployments/([^/]+)(?:/(\w+))?")


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault, for requests whose path has a text.

    Attributes:
        path: the text.
        kind: how: an answer with ``status``, ``headers`` and ``body``; no answer for ``seconds``;
            or a connection that is reset.
        times: how often; the requests after that are answered well.
    """

    path: str = "/"
    kind: Literal["answer", "stall", "reset"] = "answer"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error":"internal error"}'
    seconds: float = 0.0
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, and the status of its answer; 0 if there was none."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class MenderServer:
    """A running server.

    Attributes:
        url: its address.
        fleet: its data.
        faults: the first one that matches a request happens.
        requests: all so far, in the order of their answers.
    """

    url: str
    fleet: Fleet
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def asked(self, text: str) -> list[Request]:
        """The requests whose path has a text."""
        return [each for each in self.requests if text in each.path]

    def fault(self, path: str) -> Fault | None:
        with self.fleet.changed:
            for each in self.faults:
                if each.times and each.path in path:
                    each.times -= 1
                    return each
        return None


@contextmanager
def mender_server(
    fleet: Fleet | None = None,
    *,
    certificate: Certificate | None = None,
    clients_of: Certificate | None = None,
    address: tuple[str, int] = ("127.0.0.1", 0),
) -> Iterator[MenderServer]:
    """A server that answers while the block runs.

    Args:
        certificate: for HTTPS; without one, HTTP.
        clients_of: an authority: only devices with a certificate of it may connect.
    """
    handler = type("Handler", (_Handler,), {})
    with _Listener(address, handler) as listener:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.path, certificate.key_path)
            if clients_of:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients_of.path)
            listener.socket = context.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if certificate else "http"
        server = MenderServer(
            url=f"{scheme}://{address[0]}:{listener.server_port}", fleet=fleet or Fleet()
        )
        handler.server_state = server  # type: ignore[attr-defined]
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            listener.shutdown()
            thread.join(10)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that break off, which tests do on purpose."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_state: MenderServer
    protocol_version = "HTTP/1.1"
    timeout = 30
    body = b""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_GET

    def log_message(self, format: str, *args: object) -> None: ...

    def _answer(self) -> None:
        self.body = self._body()
        fault = self.server_state.fault(self.path)
        if fault and fault.kind != "answer":
            self._note(0)
            self.server_state.ending.wait(fault.seconds)
            # Without linger, closing resets the connection. Source: socket(7), SO_LINGER.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        if fault:
            self._send(fault.status, fault.body, fault.headers)
            return
        try:
            self._serve()
        except Refused as error:
            body = {"error": str(error), "request_id": "simulated"}
            self._send(error.status, json.dumps(body).encode())

    def _body(self) -> bytes:
        """The body, by its length or, as Mender's client sends it, in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _serve(self) -> None:
        if len(self.body) > _BODY_LIMIT:
            raise Refused(413, "request body too large")
        path, fleet = urlsplit(self.path).path, self.server_state.fleet
        if path.startswith("/artifacts/"):
            self._artifact(fleet.deployment(path.split("/")[2]).artifact)
        elif self._is("POST", path, "/api/devices/v1/authentication/auth_requests"):
            token = fleet.authenticate(self.body, self.headers.get("X-MEN-Signature", ""))
            self._send(200, token.encode(), {"Content-Type": "application/jwt"})
        else:
            self._for_device(path, fleet.device_of(self.headers.get("Authorization", "")))

    def _for_device(self, path: str, device: Device) -> None:
        fleet = self.server_state.fleet
        if path == "/api/devices/v1/inventory/device/attributes":
            told = self._json()
            fleet.take_attributes(device, told, merges=self.command == "PATCH")
            self._send(200)
            return
        found = _DEPLOYMENT.fullmatch(path)
        match found.groups() if found else (), self.command:
            case ("1" | "2" as version, "next", None), "GET" | "POST":
                self._next(device, version)
            case ("1", name, "status"), "PUT":
                fleet.take_status(name, self._json())
                self._send(204)
            case ("1", name, "log"), "PUT":
                fleet.take_log(name, self._json())
                self._send(204)
            case ("2", name, "update_control_map"), "GET":
                deployment = fleet.deployment(name)
                if deployment.is_aborted:
                    raise Refused(404, "deployment not found")
                self._send_json({"update_control_map": deployment.sent_map})
            case _:
                raise Refused(404, "not found")

    def _next(self, device: Device, version: str) -> None:
        fleet = self.server_state.fleet
        if version == "2" and not (fleet.has_v2 and self.command == "POST"):
            raise Refused(404, "not found")
        if self.command == "POST":
            told = self._json()
            provides = told.get("device_provides", told)
        else:
            query = parse_qs(urlsplit(self.path).query)
            provides = {name: values[0] for name, values in query.items()}
        if not provides.get("artifact_name") or not provides.get("device_type"):
            raise Refused(400, "artifact_name and device_type must be given")
        device.provides = provides
        deployment = fleet.offer()
        if deployment is None:
            self._send(204)
            return
        self._send_json(self._offer(deployment, provides["device_type"], with_map=version == "2"))

    def _offer(self, deployment: Deployment, device_type: str, *, with_map: bool) -> dict[str, Any]:
        host = self.headers.get("Host") or urlsplit(self.server_state.url).netloc
        scheme = urlsplit(self.server_state.url).scheme
        expire = email.utils.formatdate(time.time() + 86400)
        uri = f"{scheme}://{host}/artifacts/{deployment.id}/{deployment.artifact.name}"
        artifact = {
            "id": deployment.id,
            "artifact_name": deployment.name,
            "source": {"uri": uri, "expire": expire},
            "device_types_compatible": [device_type],
        }
        offer: dict[str, Any] = {"id": deployment.id, "artifact": artifact}
        if with_map and deployment.control_map is not None:
            offer["update_control_map"] = deployment.sent_map
        return offer

    def _artifact(self, path: Path) -> None:
        """A file, or the requested part of it, as an object storage serves it."""
        size, begin = path.stat().st_size, 0
        tag = f'"{path.stat().st_mtime_ns:x}-{size:x}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        end = size - 1
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        if asked and self.headers.get("If-Range", tag) == tag:
            begin, end = int(asked[1]), min(end, int(asked[2] or end))
            if begin > end:
                self._send(416, headers={"Content-Range": f"bytes */{size}"})
                return
            headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
        self._note(206 if "Content-Range" in headers else 200)
        self.send_response(206 if "Content-Range" in headers else 200)
        for name, value in {**headers, "Content-Length": str(end + 1 - begin)}.items():
            self.send_header(name, value)
        self.end_headers()
        with path.open("rb") as file:
            file.seek(begin)
            left = end + 1 - begin
            while piece := file.read(min(_PIECE, left)):
                self.wfile.write(piece)
                left -= len(piece)

    def _is(self, method: str, path: str, wanted: str) -> bool:
        return self.command == method and path == wanted

    def _json(self) -> Any:
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "unsupported media type")
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(400, f"failed to parse: {error}") from error

    def _send_json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self._note(status)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if status != 204 else b"")

    def _note(self, status: int) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            method=self.command, path=self.path, headers=headers, body=self.body, status=status
        )
        self.server_state.requests.append(request)


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.mender_server")
    parser.add_argument("--artifact", type=Path, help="deploy it to every device that asks")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="ADDRESS:PORT (127.0.0.1:8080)")
    parser.add_argument("--v1", action="store_true", help="like the open server: no version 2")
    args = parser.parse_args()
    host, _, port = args.listen.rpartition(":")
    fleet = Fleet(has_v2=not args.v1)
    if args.artifact:
        fleet.deploy(args.artifact.resolve(strict=True))
    with mender_server(fleet, address=(host, int(port))) as server:
        print(f"{server.url}: ready", flush=True)
        seen = 0
        try:
            while True:
                for each in server.requests[seen:]:
                    said = "" if "authentication" in each.path else each.body.decode()
                    print(each.method, each.path, each.status, said, flush=True)
                    seen += 1
                time.sleep(0.1)
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
