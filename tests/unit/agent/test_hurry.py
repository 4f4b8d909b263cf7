# SPDX-License-Identifier: Apache-2.0
"""A server that drips, byte by byte, holds the agent no longer than one that is silent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source.http import HttpSource
from ota_agent.download.source.retry import Surroundings
from ota_agent.errors import AgentError, Unreachable
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from ota_agent.server.response import ask
from tests.simulators.certificates import make

TIMEOUT = 0.2  # [s]
ENDLESS = 60.0  # [s] of a test that hangs
HEADS = {
    "status": (b"", b"HTTP/1.1 200 "),
    "header": (b"HTTP/1.1 200 OK\r\n", b"X: "),
    "interim": (b"", b"HTTP/1.1 100 Continue\r\nX: "),
    "chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;x="),
}


@contextmanager
def dripping(begin: bytes, then: bytes) -> Iterator[str]:
    """A server that sends the beginning at once, and the rest, and more, drop by drop."""
    is_over = threading.Event()

    def serve(listening: socket.socket) -> None:
        while not is_over.is_set():
            with suppress(OSError):
                client, _ = listening.accept()
                threading.Thread(target=drip, args=(client,), daemon=True).start()

    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(begin)
            for each in then + b"x" * int(ENDLESS / 0.02):
                client.sendall(bytes([each]))
                if is_over.wait(0.02):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        finally:
            is_over.set()
            with suppress(OSError), socket.create_connection(listening.getsockname(), 1):
                pass
            thread.join(5)


@pytest.mark.parametrize("name", HEADS)
def test_an_answer_that_drips_is_given_up(name: str) -> None:
    connections = pool(TlsOptions(allow_plain_http=True), timeout=TIMEOUT, environment={})
    begun = time.monotonic()

    with dripping(*HEADS[name]) as url, pytest.raises(Unreachable):
        ask(lambda: connections, "GET", url, body=None, headers={}, patience=TIMEOUT)

    assert time.monotonic() - begun < ENDLESS / 4


@pytest.mark.parametrize("name", HEADS)
def test_a_download_that_drips_has_an_end(name: str) -> None:
    connections = pool(TlsOptions(allow_plain_http=True), timeout=TIMEOUT, environment={})
    options = DownloadOptions(
        inactivity=TIMEOUT, no_progress=TIMEOUT, first_delay=TIMEOUT, longest_delay=TIMEOUT
    )
    begun = time.monotonic()

    with dripping(*HEADS[name]) as url:
        source = HttpSource(Address(url), connections, options, Surroundings(), tell=print)
        with pytest.raises(AgentError, match="not one new byte"):
            source.read(1000)

    assert time.monotonic() - begun < ENDLESS / 4


def test_a_handshake_that_drips_is_given_up(tmp_path: Path) -> None:
    trust = TlsOptions(ca_bundle=str(make(tmp_path, "server").path))
    connections = pool(trust, timeout=TIMEOUT, environment={})
    begun = time.monotonic()

    with dripping(b"", b"\x16\x03\x03\x40\x00") as url:
        secure = url.replace("http", "https")
        with pytest.raises(Unreachable):
            ask(lambda: connections, "GET", secure, body=None, headers={}, patience=TIMEOUT)

    assert time.monotonic() - begun < ENDLESS / 4


def test_a_proxy_that_drips_is_given_up(tmp_path: Path) -> None:
    trust = TlsOptions(ca_bundle=str(make(tmp_path, "server").path))
    begun = time.monotonic()

    with dripping(*HEADS["header"]) as url:
        connections = pool(trust, timeout=TIMEOUT, environment={"https_proxy": url})
        address = "https://server.test/a"
        with pytest.raises(Unreachable):
            ask(lambda: connections, "GET", address, body=None, headers={}, patience=TIMEOUT)

    assert time.monotonic() - begun < ENDLESS / 4
