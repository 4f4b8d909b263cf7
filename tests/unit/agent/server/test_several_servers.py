# SPDX-License-Identifier: Apache-2.0
"""Which of several servers is asked: one that does not do its job is left, and retried later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ota_agent.errors import Aborted, AgentError, Unauthorized, Unreachable
from ota_agent.server.client import Server
from ota_agent.server.http import pool
from ota_agent.server.options import ServerOptions, TlsOptions
from tests.simulators.mender_fleet import Deployment
from tests.simulators.mender_server import Fault, MenderServer, mender_server
from tests.unit.agent.server.test_client import IDENTITY, PROVIDES, MemoryKey

PAGE = b"<html><body>Please log in to Hotel Wi-Fi</body></html>"
HTML = {"Content-Type": "text/html"}
JSON = b'{"error":"no"}'
ODD = [
    *(Fault(status=each, body=JSON) for each in (400, 401, 403, 404, 409, 410, 429, 500, 503)),
    *(Fault(status=each, body=PAGE, headers=HTML) for each in (200, 401, 403, 404, 409, 502)),
    Fault(status=301, headers={"Location": "https://portal.example/"}, body=b""),
    Fault(status=302, headers={"Location": "https://portal.example/"}, body=JSON),
    Fault(status=200, body=b"{}"),
    Fault(status=200, body=b"OK"),
    Fault(status=200, body=b""),
    Fault(status=201, body=b""),
    Fault(status=206, body=b"{}"),
    Fault(status=200, body=b'{"id":"d","artifact":{"source":{"uri":""}}}'),
    Fault(status=200, body=b'{"id":"d","artifact":{"source":{"uri":null}}}'),
    Fault(kind="reset"),
]
NEVER_A_SUCCESS = [each for each in ODD if each.status < 300 and each.kind == "answer"]
"""Answers that a page gives which has one for everything."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def connections() -> Iterator[urllib3.PoolManager]:
    found = pool(TlsOptions(allow_plain_http=True), timeout=2.0, environment={})
    yield found
    found.clear()


@pytest.fixture
def first() -> Iterator[MenderServer]:
    with mender_server() as found:
        yield found


@pytest.fixture
def second() -> Iterator[MenderServer]:
    with mender_server() as found:
        yield found


def client(connections: urllib3.PoolManager, *servers: MenderServer, clock: Any = None) -> Server:
    options = ServerOptions(tuple(each.url for each in servers), timeout=2.0)
    return Server(
        options, lambda: connections, MemoryKey(), lambda: IDENTITY, clock=clock or Clock()
    )


def answers(fault: Fault, path: str) -> Fault:
    """The fault, for all requests of a path."""
    return Fault(
        path=path,
        kind=fault.kind,
        status=fault.status,
        headers=fault.headers,
        body=fault.body,
        times=99,
    )


def named(fault: Fault) -> str:
    return f"{fault.kind} {fault.status} {fault.body[:40].decode()}"


def deployed(fleet: MenderServer, path: Path) -> Deployment:
    path.write_bytes(b"an artifact")
    return fleet.fleet.deploy(path)


@pytest.mark.parametrize("fault", ODD, ids=named)
def test_a_server_that_accepts_the_device_and_gives_no_update_is_left_for_the_next(
    connections: urllib3.PoolManager,
    first: MenderServer,
    second: MenderServer,
    tmp_path: Path,
    fault: Fault,
) -> None:
    deployment = deployed(second, tmp_path / "v2.mender")
    first.faults.append(answers(fault, "/next"))

    found = client(connections, first, second).next_deployment(PROVIDES, "board")

    assert found is not None
    assert found.id == deployment.id


@pytest.mark.parametrize("fault", ODD, ids=named)
def test_one_server_alone_that_gives_no_update_is_an_error(
    connections: urllib3.PoolManager, first: MenderServer, fault: Fault
) -> None:
    first.faults.append(answers(fault, "/next"))

    with pytest.raises(AgentError):
        client(connections, first).next_deployment(PROVIDES, "board")


@pytest.mark.parametrize("fault", NEVER_A_SUCCESS, ids=named)
def test_who_answers_200_to_everything_is_told_nothing(
    connections: urllib3.PoolManager, first: MenderServer, tmp_path: Path, fault: Fault
) -> None:
    deployment = deployed(first, tmp_path / "v2.mender")
    device = client(connections, first)
    device.authenticate()
    line = {"timestamp": "t", "level": "info", "message": "m"}
    first.faults.append(answers(fault, "/status"))
    first.faults.append(answers(fault, "/log"))

    with pytest.raises(Unreachable):
        device.report(deployment.id, "success")
    with pytest.raises(Unreachable):
        device.send_log(deployment.id, [line])


@pytest.mark.parametrize("body", [PAGE, b"OK", b"It works!"])
@pytest.mark.parametrize("status", [200, 201, 202, 206])
def test_a_page_takes_no_inventory(
    connections: urllib3.PoolManager, first: MenderServer, body: bytes, status: int
) -> None:
    first.faults.append(Fault(path="attributes", status=status, body=body, times=1))
    device = client(connections, first)

    with pytest.raises(Unreachable):
        device.send_inventory({"a": "1"})
    device.send_inventory({"a": "1"})

    assert first.fleet.device.attributes == {"a": "1"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=b"OK"),
        Fault(status=200, body=b"healthy"),
        Fault(status=200, body=b"5.15.2"),
        Fault(status=200, body=b"www.example.com"),
        Fault(status=200, body=PAGE, headers=HTML),
        Fault(status=200, body=b'{"status":"ok"}', headers={"Content-Type": "application/json"}),
        Fault(status=204, body=b""),
        Fault(status=302, body=b"", headers={"Location": "https://portal.example/"}),
    ],
    ids=named,
)
def test_a_page_accepts_no_device(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer, fault: Fault
) -> None:
    first.faults.append(answers(fault, "auth_requests"))

    with pytest.raises(Unreachable):
        client(connections, first).authenticate()
    assert client(connections, first, second).authenticate().url.full == second.url


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"eyJh.eyJz.c2ln", {}), (b"token-of-a-server", {"Content-Type": "application/jwt"})],
)
def test_a_token_has_three_parts_or_is_called_one(
    connections: urllib3.PoolManager, first: MenderServer, body: bytes, headers: dict[str, str]
) -> None:
    first.faults.append(Fault(path="auth_requests", status=200, body=body, headers=headers))

    assert client(connections, first).authenticate().token == body.decode()


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_page_does_not_speak_for_the_server(
    connections: urllib3.PoolManager, first: MenderServer, status: int
) -> None:
    first.faults.append(
        Fault(path="auth_requests", status=status, body=PAGE, headers=HTML, times=2)
    )
    device = client(connections, first)

    with pytest.raises(Unreachable, match=str(status)) as caught:
        device.authenticate()

    assert not isinstance(caught.value, Unauthorized)


@pytest.mark.parametrize("status", [404, 409])
def test_a_page_aborts_no_update(
    connections: urllib3.PoolManager, first: MenderServer, tmp_path: Path, status: int
) -> None:
    deployment = deployed(first, tmp_path / "v2.mender")
    first.faults.append(Fault(path="/status", status=status, body=PAGE, headers=HTML))

    with pytest.raises(Unreachable) as caught:
        client(connections, first).report(deployment.id, "installing")

    assert not isinstance(caught.value, Aborted)


def test_a_server_that_has_not_given_an_update_does_not_abort_it(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer, tmp_path: Path
) -> None:
    """The second does not know it; the first is away, or knows it as well as before."""
    device = client(connections, first, second)
    deployment = deployed(first, tmp_path / "v2.mender")
    assert device.next_deployment(PROVIDES, "board") is not None
    first.faults.append(Fault(path="/status", status=502, times=1))

    with pytest.raises(Unreachable) as caught:
        device.report(deployment.id, "installing")

    assert not isinstance(caught.value, Aborted)
    device.report(deployment.id, "installing")
    assert deployment.statuses == ["installing"]


def test_an_update_that_no_server_knows_is_aborted(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer
) -> None:
    with pytest.raises(Aborted):
        client(connections, first, second).report("gone", "installing")


def test_the_first_server_is_tried_again_an_hour_later(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer
) -> None:
    clock = Clock()
    device = client(connections, first, second, clock=clock)
    first.faults.append(Fault(path="/next", status=403, times=2))

    def asked() -> tuple[int, int]:
        before = len(first.asked("/next")), len(second.asked("/next"))
        assert device.next_deployment(PROVIDES, "board") is None
        return len(first.asked("/next")) - before[0], len(second.asked("/next")) - before[1]

    assert asked() == (1, 1)
    clock.now += 3000
    assert asked() == (0, 1)
    clock.now += 700
    assert asked() == (1, 1)
    clock.now += 3000
    assert asked() == (0, 1)
    clock.now += 700
    assert asked() == (1, 0)
    assert asked() == (1, 0)


def test_when_all_servers_refuse_each_is_named(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer
) -> None:
    first.faults.append(Fault(path="/next", status=403, body=JSON, times=9))
    second.faults.append(
        Fault(path="/next", status=429, body=JSON, headers={"Retry-After": "77"}, times=9)
    )

    with pytest.raises(Unreachable, match=f"{first.url}.*403.*{second.url}.*429") as caught:
        client(connections, first, second).next_deployment(PROVIDES, "board")

    assert caught.value.retry_after == 77


def test_a_token_that_one_server_refuses_again_and_again_is_not_the_end(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer
) -> None:
    first.faults.append(Fault(path="/next", status=401, body=JSON, times=99))

    with pytest.raises(Unauthorized):
        client(connections, first).next_deployment(PROVIDES, "board")
    assert client(connections, first, second).next_deployment(PROVIDES, "board") is None


def test_what_is_too_large_is_sent_to_nobody_else(
    connections: urllib3.PoolManager, first: MenderServer, second: MenderServer
) -> None:
    first.faults.append(Fault(path="/log", status=413, body=JSON))

    with pytest.raises(AgentError, match="not sent again"):
        client(connections, first, second).send_log("d", [{"message": "m"}])

    assert not second.requests
