# SPDX-License-Identifier: Apache-2.0
"""A hostile server holds the agent no longer than its patience, and an abort ends every wait."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source.http import HttpSource
from ota_agent.download.source.retry import Surroundings
from ota_agent.errors import Aborted, AgentError, Unreachable
from ota_agent.hurry import heeding
from ota_agent.hurry.sockets import Plain
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from ota_agent.server.response import Answer, ask
from tests.simulators.certificates import Certificate, make
from tests.simulators.hostile_server import DRIPS, HANDSHAKE, Drip, hostile

PATIENCE = 0.1  # [s]
LATE = 0.6  # [s] more, for what a busy machine does in the meantime
LONG = 60.0  # [s] a patience that no test waits for
FORGIVING = DownloadOptions(
    inactivity=PATIENCE, no_progress=PATIENCE, total=PATIENCE, first_delay=0.01, longest_delay=0.01
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificate"), "server")


def asked(
    url: str,
    *,
    patience: float = PATIENCE,
    body: bytes | None = None,
    environment: Any = None,
    **trust: Any,
) -> Answer:
    options = TlsOptions(allow_plain_http=True, **trust)
    connections = pool(options, timeout=patience, environment=environment or {})
    try:
        return ask(lambda: connections, "PUT", url, body=body, headers={}, patience=patience)
    finally:
        connections.clear()


def source(url: str, options: DownloadOptions, check: Callable[[], None], **trust: Any) -> Any:
    connections = pool(TlsOptions(allow_plain_http=True, **trust), timeout=LONG, environment={})
    return HttpSource(Address(url), connections, options, Surroundings(check=check), tell=print)


def read_all(artifact: HttpSource) -> None:
    while artifact.read(1000):
        pass


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    """The block ends within that time."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds + LATE


def abort_after(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise Aborted("aborted by a user")

    return check


@pytest.mark.parametrize("place", DRIPS)
def test_an_answer_without_an_end_is_given_up(place: str) -> None:
    with hostile(DRIPS[place]) as url, soon(PATIENCE), pytest.raises(Unreachable):
        asked(url)


@pytest.mark.parametrize("place", DRIPS)
def test_a_download_without_an_end_is_given_up(place: str) -> None:
    with hostile(DRIPS[place]) as url, soon(2 * PATIENCE), pytest.raises(AgentError):
        read_all(source(url, FORGIVING, lambda: None))


@pytest.mark.parametrize("place", DRIPS)
def test_an_abort_ends_a_wait_for_an_answer(place: str) -> None:
    with (
        hostile(DRIPS[place]) as url,
        soon(PATIENCE),
        pytest.raises(Aborted),
        heeding(abort_after(PATIENCE)),
    ):
        asked(url, patience=LONG)


@pytest.mark.parametrize("place", [each for each in DRIPS if each != "error's body"])
def test_an_abort_ends_a_download_wherever_it_waits(place: str) -> None:
    with hostile(DRIPS[place]) as url, soon(PATIENCE), pytest.raises(Aborted):
        read_all(source(url, DownloadOptions(), abort_after(PATIENCE)))


@pytest.mark.parametrize("place", ["silence", "header", "flood of interim answers", "trailers"])
def test_the_same_holds_over_tls(place: str, certificate: Certificate) -> None:
    with (
        hostile(DRIPS[place], certificate=certificate) as url,
        soon(PATIENCE),
        pytest.raises(Unreachable),
    ):
        asked(url, ca_bundle=str(certificate.path))


@pytest.mark.parametrize("drip", [HANDSHAKE, DRIPS["silence"]])
def test_a_handshake_without_an_end_is_given_up(drip: Drip, certificate: Certificate) -> None:
    with hostile(drip) as url, soon(PATIENCE), pytest.raises(Unreachable):
        asked(url.replace("http", "https"), ca_bundle=str(certificate.path))


@pytest.mark.parametrize("place", ["silence", "status line", "headers", "interim answers"])
@pytest.mark.parametrize("is_secure", [False, True])
def test_a_proxy_that_does_not_come_to_an_end_is_given_up(
    place: str, is_secure: bool, certificate: Certificate
) -> None:
    with (
        hostile(DRIPS[place], certificate=certificate if is_secure else None) as url,
        soon(PATIENCE),
        pytest.raises(Unreachable),
    ):
        asked(
            "https://server.test/a",
            environment={"https_proxy": url},
            ca_bundle=str(certificate.path),
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_does_not_read_is_given_up(scheme: str, certificate: Certificate) -> None:
    with (
        hostile(Drip(b""), is_reading=False) as url,
        soon(PATIENCE),
        pytest.raises(Unreachable),
    ):
        asked(f"{scheme}:{url.partition(':')[2]}", body=b"{}", ca_bundle=str(certificate.path))


def test_a_body_that_nobody_reads_is_given_up_when_a_slow_line_would_have_sent_it() -> None:
    with (
        hostile(Drip(b""), is_reading=False) as url,
        soon(PATIENCE),
        pytest.raises(Aborted),
        heeding(abort_after(PATIENCE)),
    ):
        asked(url, body=bytes(1 << 25), patience=LONG)


def test_a_name_that_nobody_resolves_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo

    def hanging(host: str, *words: Any, **more: Any) -> Any:
        if "flags" not in more:
            time.sleep(3)
        return found(host, *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)

    with soon(PATIENCE), pytest.raises(Unreachable, match="timed out"):
        asked("http://server.test/a")


def test_a_name_that_is_not_known_is_named() -> None:
    with pytest.raises(Unreachable, match=r"server\.invalid is not known"):
        asked("http://server.invalid/a", patience=LONG)


def test_each_address_of_a_host_gets_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        hostile(Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as url,
    ):
        held = [socket.socket() for _ in range(4)]
        for each in held:  # a queue that is full answers to nobody
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        port = int(url.split(":")[2].split("/")[0])
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", place)
            for place in (full.getsockname(), ("127.0.0.1", port))
        ]
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
            answer = asked("http://server.test/a", patience=2 * PATIENCE)

        for each in held:
            each.close()
    assert answer.body == b"{}"


def test_a_signal_ends_a_wait_for_an_answer() -> None:
    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        with hostile(DRIPS["header"]) as url, soon(PATIENCE), pytest.raises(Stopped):
            asked(url, patience=LONG)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_exchanges_that_fail_leave_nothing_open(certificate: Certificate) -> None:
    class Kept(Plain):
        made: ClassVar[list[socket.socket]] = []

        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            self.made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ota_agent.hurry.connection.Plain", Kept)
        for place in ("header", "body", "trailer"):
            with hostile(DRIPS[place]) as url, pytest.raises(Unreachable):
                asked(url)
        with hostile(HANDSHAKE) as url, pytest.raises(Unreachable):
            asked(url.replace("http", "https"), ca_bundle=str(certificate.path))

    assert len(Kept.made) == 4
    assert [each.fileno() for each in Kept.made] == [-1] * 4


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "x"])
def test_an_answer_is_never_unpacked(encoding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n{{}}"

    with hostile(Drip(head.encode())) as url, pytest.raises(Unreachable, match="encoded as"):
        asked(url)


def test_an_answer_that_is_cut_off_is_not_taken_for_a_whole_one() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{}"

    with closing(head) as url, pytest.raises(Unreachable, match=r"2 of 3 B|IncompleteRead"):
        asked(url)


@contextmanager
def closing(answer: bytes) -> Iterator[str]:
    """A server that gives one answer, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(1 << 16)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        thread.join(5)


def test_what_the_agent_asks_for_is_not_encoded(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                seen.append(client.recv(1 << 16))
                client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        asked(f"http://127.0.0.1:{listening.getsockname()[1]}/a")
        thread.join(5)

    assert b"accept-encoding: identity\r\n" in seen[0].lower()
