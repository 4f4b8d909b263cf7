# SPDX-License-Identifier: Apache-2.0
"""Which servers are believed, over real TLS, and how they are reached."""

import base64
import http.server
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ota_agent.errors import AgentError
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from ota_agent.server.pin import parse_pin, pin_of
from tests.conftest import requires_localhost
from tests.simulators.certificates import Certificate, make
from tests.simulators.proxy import proxy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificate:
    return make(folder, "authority", is_authority=True)


@pytest.fixture(scope="module")
def leaf(folder: Path, authority: Certificate) -> Certificate:
    return make(folder, "leaf", by=authority)


@pytest.fixture(scope="module")
def url(leaf: Certificate) -> Iterator[str]:
    with served(leaf) as address:
        yield address


@contextmanager
def served(
    certificate: Certificate | None = None,
    *,
    clients_of: Certificate | None = None,
    location: str = "",
) -> Iterator[str]:
    """A server that answers each GET with "here", and a redirect if there is a location."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if location else 200)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, format: str, *args: object) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.path, certificate.key_path)
            if clients_of:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients_of.path)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


def got(url: str, environment: Any = None, **options: Any) -> bytes:
    connections = pool(TlsOptions(**options), timeout=5, environment=environment or {})
    try:
        return bytes(connections.request("GET", url).data)
    finally:
        connections.clear()


def pin(certificate: Certificate) -> str:
    return pin_of(certificate.der).hex()


def test_a_server_nobody_vouches_for_is_refused(url: str) -> None:
    with pytest.raises(urllib3.exceptions.HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        got(url)


@pytest.mark.parametrize("option", ["ca_bundle", "server_certificate"])
def test_a_server_is_believed_if_its_authority_is(
    url: str, authority: Certificate, option: str
) -> None:
    assert got(url, **{option: str(authority.path)}) == b"here"


def test_authorities_that_urllib3_brings_of_itself_are_not_believed(
    url: str, folder: Path, authority: Certificate
) -> None:
    """Debian's urllib3 1.26 has each connection trust the system's bundle, whatever we trust."""
    own = make(folder, "another-authority", is_authority=True)
    connections = pool(TlsOptions(ca_bundle=str(own.path)), timeout=5, environment={})
    connections.connection_pool_kw["ca_certs"] = str(authority.path)

    with pytest.raises(urllib3.exceptions.HTTPError, match="unable to get local issuer"):
        connections.request("GET", url)


def test_a_servers_own_certificate_is_enough(url: str, leaf: Certificate) -> None:
    assert got(url, server_certificate=str(leaf.path)) == b"here"


def test_a_certificate_for_another_host_is_refused(folder: Path, authority: Certificate) -> None:
    other = make(folder, "other", by=authority, hosts=("example.org",))

    with (
        served(other) as address,
        pytest.raises(urllib3.exceptions.HTTPError, match="doesn't match"),
    ):
        got(address, ca_bundle=str(authority.path))


@pytest.mark.parametrize(("name", "valid"), [("old", (-9, -1)), ("early", (1, 9))])
def test_a_certificate_out_of_its_time_is_refused(
    folder: Path, authority: Certificate, name: str, valid: tuple[float, float]
) -> None:
    certificate = make(folder, name, by=authority, valid=valid)

    with (
        served(certificate) as address,
        pytest.raises(urllib3.exceptions.HTTPError, match=r"expired|not yet valid"),
    ):
        got(address, ca_bundle=str(authority.path))


def test_a_pin_alone_is_enough_whatever_the_clock_says(
    folder: Path, authority: Certificate
) -> None:
    old = make(folder, "old-pinned", by=authority, valid=(-9, -1))

    with served(old) as address:
        assert got(address, pins=("00" * 32, pin(old))) == b"here"


def test_another_key_than_the_pinned_is_refused(url: str, authority: Certificate) -> None:
    others: tuple[dict[str, Any], ...] = (
        {},
        {"ca_bundle": str(authority.path)},
        {"skip_verify": True},
    )
    for more in others:
        with pytest.raises(urllib3.exceptions.HTTPError, match=r"not one of the 1 in tls\.pins"):
            got(url, pins=("00" * 32,), **more)


def test_a_pin_does_not_replace_an_authority_that_is_named(
    url: str, folder: Path, leaf: Certificate, authority: Certificate
) -> None:
    stranger = make(folder, "stranger", is_authority=True)

    assert got(url, pins=(pin(leaf),), ca_bundle=str(authority.path)) == b"here"
    with pytest.raises(urllib3.exceptions.HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        got(url, pins=(pin(leaf),), ca_bundle=str(stranger.path))


@requires_localhost
def test_a_pin_is_for_its_hosts_and_others_are_checked_as_before(
    url: str, leaf: Certificate
) -> None:
    port = url.rpartition(":")[2]
    options: dict[str, Any] = {"pins": (pin(leaf),), "pinned_hosts": ("LocalHost",)}

    assert got(f"https://localhost:{port}", **options) == b"here"
    with pytest.raises(urllib3.exceptions.HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        got(url, **options)


def test_a_device_shows_its_certificate_where_it_is_asked_for(
    folder: Path, leaf: Certificate, authority: Certificate
) -> None:
    device = make(folder, "device", by=authority)

    with served(leaf, clients_of=authority) as address:
        assert (
            got(
                address,
                ca_bundle=str(authority.path),
                client_certificate=str(device.path),
                client_key=str(device.key_path),
            )
            == b"here"
        )
        with pytest.raises(urllib3.exceptions.HTTPError):
            got(address, ca_bundle=str(authority.path))


def test_skipping_verification_is_warned_of(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert got(url, skip_verify=True) == b"here"

    assert "ANY server is trusted" in caplog.text


def test_plain_http_needs_to_be_allowed_and_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served() as address:
        with pytest.raises(AgentError, match=r"is plain HTTP.*tls\.allow_plain_http"):
            got(address)
        assert got(address, allow_plain_http=True) == b"here"

    assert "127.0.0.1: plain HTTP" in caplog.text


@pytest.mark.parametrize("is_proxied", [False, True])
def test_a_redirect_is_not_followed_but_handed_back(is_proxied: bool, leaf: Certificate) -> None:
    with proxy() as between, served(leaf, location="http://127.0.0.1:1/") as address:
        environment = {"https_proxy": f"127.0.0.1:{between.port}"} if is_proxied else {}

        assert got(address, environment, pins=(pin(leaf),)) == b"here"

    assert bool(between.requests) == is_proxied


def test_a_proxy_is_gone_through_with_tls_to_the_server_itself(
    url: str, authority: Certificate
) -> None:
    with proxy() as between:
        environment = {"https_proxy": f"http://user:secret@127.0.0.1:{between.port}"}

        assert got(url, environment, ca_bundle=str(authority.path)) == b"here"
        with pytest.raises(urllib3.exceptions.HTTPError, match=r"not one of the 1 in tls\.pins"):
            got(url, environment, pins=("00" * 32,))

    authorization = "Basic " + base64.b64encode(b"user:secret").decode()
    assert between.requests[0] == ("CONNECT", url.removeprefix("https://"), authorization)


@requires_localhost
def test_a_host_of_no_proxy_is_asked_past_the_proxy(url: str, authority: Certificate) -> None:
    with proxy() as between:
        environment = {
            "HTTP_PROXY": f"127.0.0.1:{between.port}",
            "https_proxy": f"127.0.0.1:{between.port}",
            "no_proxy": ".example.org localhost",
        }
        options = {"ca_bundle": str(authority.path), "allow_plain_http": True}

        with served() as direct:
            assert got(direct, environment, **options) == b"here"
        assert got(url.replace("127.0.0.1", "localhost"), environment, **options) == b"here"

    assert [method for method, _, _ in between.requests] == ["GET"]


@pytest.mark.parametrize(
    ("no_proxy", "is_used"),
    [("*", False), ("127.0.0.1", False), ("a b,127.0.0.1", False), ("7.0.0.1", True), ("", True)],
)
def test_no_proxy_names_hosts_with_commas_or_spaces(
    url: str, authority: Certificate, no_proxy: str, is_used: bool
) -> None:
    with proxy() as between:
        environment = {"HTTPS_PROXY": f"http://127.0.0.1:{between.port}", "NO_PROXY": no_proxy}

        got(url, environment, ca_bundle=str(authority.path))

    assert bool(between.requests) == is_used


@pytest.mark.parametrize("option", ["ca_bundle", "server_certificate", "client_certificate"])
def test_a_file_that_is_not_a_certificate_is_named(tmp_path: Path, option: str) -> None:
    path = tmp_path / "a.pem"
    options: dict[str, Any] = {option: str(path)}
    with pytest.raises(AgentError, match=rf"tls\.{option}: .*a\.pem: No such file"):
        pool(TlsOptions(**options), timeout=1)

    path.write_text("nothing")
    with pytest.raises(AgentError, match=rf"tls\.{option}: .*a\.pem: .*in PEM"):
        pool(TlsOptions(**options), timeout=1)


def test_a_pin_is_written_in_any_usual_form(leaf: Certificate) -> None:
    digest = pin_of(leaf.der)
    colons = ":".join(f"{byte:02X}" for byte in digest)
    text = base64.b64encode(digest).decode()

    for form in (digest.hex(), colons, text, f"sha256//{text}", f" {text}\n"):
        assert parse_pin(form) == digest
    for form in ("", "00", digest.hex() + "00", "sha256//!", "zz" * 32):
        with pytest.raises(AgentError, match=r"is not a SHA-256"):
            parse_pin(form)


def test_data_that_is_not_a_certificate_has_no_pin(leaf: Certificate) -> None:
    for data in (b"", b"\x30", b"\x30\x03abc", leaf.der[:100], b"\x31" + leaf.der[1:]):
        with pytest.raises(ValueError, match="certificate"):
            pin_of(data)


class Dying:
    """A server whose connections answer once, and are then dead; it counts them.

    Args:
        kind: how: the next request is answered by ``rst`` or ``fin``, or by nothing.
        good: how many requests a connection answers before.
    """

    def __init__(self, kind: str, good: int = 1) -> None:
        self.connections, self._kind, self._good = 0, kind, good
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._kind == "over":
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._answer, args=(connection,)))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            for _ in range(self._good):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            connection.recv(65536)
            while self._kind == "nothing" and connection.recv(65536):
                pass
            linger = struct.pack("ii", int(self._kind == "rst"), 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def close(self) -> None:
        """End it, with all threads."""
        self._kind = "over"
        for each in self._open:
            with suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()


@pytest.mark.parametrize("kind", ["rst", "fin", "nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_connection_that_died_while_it_was_idle_is_replaced_at_once(
    kind: str, method: str
) -> None:
    server, hours = Dying(kind), itertools.count(0, 3600)
    connections = pool(
        TlsOptions(allow_plain_http=True), timeout=0.2, environment={}, clock=lambda: next(hours)
    )
    try:
        said = [connections.request(method, server.url, body=b"x").data for _ in range(3)]
    finally:
        connections.clear()
        server.close()

    assert said == [b"here"] * 3
    assert server.connections == 3


@pytest.mark.parametrize("kind", ["rst", "fin", "nothing"])
def test_a_new_connection_that_is_lost_is_the_servers_failure(kind: str) -> None:
    server = Dying(kind, good=0)
    connections = pool(TlsOptions(allow_plain_http=True), timeout=0.2, environment={})
    try:
        with pytest.raises(urllib3.exceptions.HTTPError):
            connections.request("GET", server.url)
    finally:
        connections.clear()
        server.close()

    assert server.connections == 1
