# SPDX-License-Identifier: Apache-2.0
"""What a server answers: to a question, and in place of an artifact."""

import re
import socket
from collections.abc import Callable
from functools import cache
from unittest.mock import patch

import urllib3

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source.http import HttpSource
from ota_agent.download.source.retry import Surroundings
from ota_agent.errors import AgentError
from ota_agent.hurry import connection
from ota_agent.hurry.sockets import Plain
from ota_agent.server import http
from ota_agent.server.client import Server, Session
from ota_agent.server.options import ServerOptions, TlsOptions
from tests.fuzz.clients import take_map
from tests.fuzz.target import tried

_URL = "http://server.test/"


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class _Key:
    public = "PEM"

    def sign(self, message: bytes) -> bytes:
        return message[:8]


@cache
def _pool() -> urllib3.PoolManager:
    return http.pool(TlsOptions(allow_plain_http=True), timeout=5, environment={})


def _answering(data: bytes) -> Callable[..., Plain]:
    """Makes connections over which an answer comes, and then nothing."""

    def connected(*_: object) -> Plain:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            found = Plain(fileno=ours.detach())
        found.settimeout(5)
        return found

    return connected


def judge_answer(data: bytes) -> str | None:
    """An answer of the server: its first byte says to which call."""
    pool = _pool()
    server = Server(ServerOptions((_URL,), timeout=5), lambda: pool, _Key(), lambda: "{}")
    calls: tuple[Callable[[], object], ...] = (
        server.authenticate,
        lambda: _offered(server),
        lambda: server.report("d1", "success"),
        lambda: server.send_log("d1", [{"timestamp": "t", "level": "info", "message": "m"}]),
        lambda: server.send_inventory({"a": "b"}),
        lambda: _mapped(server),
    )
    call = data[0] % len(calls) if data else 0
    if call:
        server._session = Session(Address(_URL.rstrip("/")), "token")
    with patch.object(connection, "_connected", _answering(data[1:])):
        way = tried(calls[call], AgentError)
    pool.clear()
    return way and f"{call} {way}"


def _offered(server: Server) -> None:
    found = server.next_deployment({"artifact_name": "v1"}, "board")
    if found is not None:
        assert _NAME.fullmatch(found.id)
        assert found.url.is_web
        take_map(found.id, found.control_map)


def _mapped(server: Server) -> None:
    take_map("d1", server.control_map("d1"))


def judge_download(data: bytes) -> str | None:
    """An answer in place of an artifact, each time that it is asked for."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    options = DownloadOptions(no_progress=20, total=60, inactivity=5)
    around = Surroundings(clock=lambda: now[0], now=lambda: 0.0, sleep=sleep, random=lambda: 0.5)
    source = HttpSource(Address(_URL), _pool(), options, around, tell=lambda _: None)

    def read() -> None:
        while source.read(1 << 16):
            now[0] += 1

    try:
        with patch.object(connection, "_connected", _answering(data)):
            return tried(read, AgentError)
    finally:
        source.close()
        _pool().clear()
