# SPDX-License-Identifier: Apache-2.0
"""A program that connects cannot stop the agent, fill its memory, or do what is root's."""

import logging
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ota_agent.api.client import Client
from ota_agent.api.messages import LONGEST, Wrong
from ota_agent.api.peer import PATIENCE, QUIET, Gone, Peer
from ota_agent.api.status import Status
from ota_agent.errors import AgentError
from tests.unit.agent.api.other_user import GROUP, NOBODY, ask, opened_to_all, requires_root
from tests.unit.agent.api.serving import Daemon, Line, serving, wait_until

STATUS = {"call": "status"}


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def path(tmp_path: Path, daemon: Daemon) -> Iterator[Path]:
    """A socket that is served, and still is when the test is over."""
    path = tmp_path / "agent.sock"
    with serving(path, daemon):
        yield path
        with Client(path) as client:
            assert client.status() == Status()


def test_garbage_is_answered_line_by_line(path: Path) -> None:
    with Line(path) as line:
        line.send(b"GET / HTTP/1.1\r\n\r\n\0\xff\n[[[[\n")
        answers = [line.next()["error"]["kind"] for _ in range(4)]

        assert answers == ["invalid"] * 4
        assert line.ask("status")["result"]["state"] == "Idle"


def test_random_bytes_do_no_harm(path: Path, daemon: Daemon) -> None:
    chance = random.Random(1)
    for _ in range(50):
        with Line(path) as line:
            line.send(chance.randbytes(chance.randrange(1, 3000)))

    assert daemon.heard == []


@pytest.mark.parametrize("length", [LONGEST + 1, 4 * LONGEST])
def test_a_line_that_is_too_long_ends_the_connection(path: Path, length: int) -> None:
    with Line(path) as line:
        with suppress(OSError):  # the connection may end before all is sent
            line.send(b" " * length)

        assert "longer than 65536 bytes" in line.next()["error"]["text"]
        with suppress(ConnectionResetError):
            assert line.next() is None


def test_the_longest_line_is_read(path: Path) -> None:
    with Line(path) as line:
        line.send(b" " * (LONGEST - 19) + b'{"call": "status"}\n')

        assert line.next()["result"]["state"] == "Idle"


def test_half_a_line_that_never_ends_holds_up_nobody(path: Path) -> None:
    with Line(path) as slow, Client(path) as quick:
        slow.send(b'{"call": "sta')

        assert quick.status() == Status()
        slow.send(b'tus"}\n')
        assert slow.next()["result"]["state"] == "Idle"


def test_who_asks_and_never_reads_is_not_read_any_more(path: Path) -> None:
    with Line(path) as greedy, Client(path) as other:
        greedy.socket.settimeout(0.2)
        sent = 0
        with suppress(TimeoutError):
            while sent < 8_000_000:
                sent += greedy.socket.send(b'{"call": "status"}\n' * 500)

        assert sent < 4_000_000  # the kernel's buffers, and ours
        assert other.status() == Status()


def test_a_watcher_who_never_reads_costs_one_line(path: Path, daemon: Daemon) -> None:
    with Line(path) as lazy:
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        lazy.send({"call": "watch"})
        for done in range(1, 20_001):
            daemon.live.change(done=done)
        daemon.live.change(done=0)

        with Client(path) as other:
            assert other.status() == Status()


def test_as_many_connections_as_allowed_and_no_more(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "sock"
    with serving(path, daemon, clients=3):
        lines = [Line(path) for _ in range(3)]
        assert [line.ask("status")["result"]["state"] for line in lines] == ["Idle"] * 3

        with Line(path) as one_more:
            assert one_more.next()["error"]["kind"] == "busy"
            assert one_more.next() is None
        for _ in range(20):
            with Client(path) as client, pytest.raises(Wrong, match="too many connections"):
                client.status()
        lines[0].__exit__()

        wait_until(lambda: _is_served(path))
        for line in lines[1:]:
            assert line.ask("status")["result"]["state"] == "Idle"
            line.__exit__()


def _is_served(path: Path) -> bool:
    try:
        with Client(path) as client:
            return client.status() == Status()
    except AgentError:
        return False


def test_connections_that_come_and_go_leave_nothing_open(path: Path) -> None:
    with Client(path) as client:
        client.status()
    before = len(list(Path("/proc/self/fd").iterdir()))

    for number in range(200):
        with Line(path) as line:
            if number % 2:
                line.send({"call": "watch"})

    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


def _peer(now: float) -> tuple[Peer, socket.socket]:
    ours, theirs = socket.socketpair()
    return Peer(socket=ours, uid=0, is_root=True, since=now), theirs


def test_who_takes_nothing_for_long_is_dropped() -> None:
    peer, theirs = _peer(0.0)
    with peer.socket, theirs:
        peer.send(b"x" * 10_000_000, 1.0)
        assert peer.wants_to_write

        peer.check(PATIENCE)
        assert peer.deadline(0) == 1.0 + PATIENCE
        with pytest.raises(Gone):
            peer.check(1.0 + PATIENCE)


def test_who_says_nothing_for_long_is_dropped() -> None:
    peer, theirs = _peer(0.0)
    with peer.socket, theirs:
        peer.check(QUIET - 1)

        with pytest.raises(Gone):
            peer.check(QUIET)


def test_who_watches_may_be_quiet_and_hears_a_line_now_and_then() -> None:
    peer, theirs = _peer(0.0)
    with peer.socket, theirs:
        peer.watched, peer.told = 7, 0.0
        for now in (29.0, 31.0, 60.9, 61.1, 10 * QUIET):
            peer.check(now)
            peer.tell(7, Status(), now)

        assert theirs.recv(1_000_000).count(b"\n") == 3


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A place that every user can reach."""
    return opened_to_all(tmp_path) / "agent.sock"


@requires_root
def test_another_user_cannot_connect(open_path: Path, daemon: Daemon) -> None:
    with serving(open_path, daemon):
        assert ask(open_path, STATUS) == ["PermissionError"]


@requires_root
def test_another_user_who_connects_all_the_same_is_refused(open_path: Path, daemon: Daemon) -> None:
    with serving(open_path, daemon):
        open_path.chmod(0o666)

        (answer,) = ask(open_path, STATUS)

    assert answer["error"]["kind"] == "refused"
    assert "only root may use the device API" in answer["error"]["text"]


@requires_root
def test_a_member_of_the_group_may_do_what_is_not_roots(open_path: Path, daemon: Daemon) -> None:
    may: tuple[dict[str, object], ...] = (
        {"call": "pause", "before": "ArtifactInstall"},
        {"call": "continue"},
        {"call": "abort", "reason": "no"},
    )
    may_not: tuple[dict[str, object], ...] = (
        {"call": "set_enabled", "enabled": True},
        {"call": "pause", "before": "ArtifactInstall", "asker": 0},
        {"call": "install", "source": "a"},
        {"call": "commit"},
        {"call": "rollback", "reason": "no"},
        {"call": "resume"},
        {"call": "set_window", "window": ""},
        {"call": "set_control_map", "map": "{}"},
        {"call": "token"},
        {"call": "fetch_token"},
    )

    with serving(open_path, daemon, group=GROUP):
        outsider = ask(open_path, STATUS)
        member = ask(open_path, STATUS, *may, *may_not, groups=(NOBODY,))

    assert outsider == ["PermissionError"]
    assert [*map(_kind, member)] == ["done"] * 4 + ["refused"] * 10
    assert [each[0] for each in daemon.heard] == ["hold", "release", "refuse"]


@requires_root
def test_members_of_the_group_together_cannot_fill_the_log(
    open_path: Path, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loop = [{"call": "continue"}] * 30

    with serving(open_path, daemon, group=GROUP):
        said = ask(open_path, *loop, groups=(NOBODY,), connections=3)
        with Line(open_path) as root:
            assert all("result" in root.ask("continue") for _ in range(30))

    kinds = [*map(_kind, said)]
    assert kinds == ["done"] * 10 + ["busy"] * 80
    assert "try again in 10 s" in said[-1]["error"]["text"]
    assert caplog.text.count(f"asked by user {NOBODY}: continue") == 10


def _kind(answer: dict[str, Any]) -> str:
    kind: str = answer["error"]["kind"] if "error" in answer else "done"
    return kind


@requires_root
def test_a_group_cannot_lock_root_out(open_path: Path, daemon: Daemon) -> None:
    with serving(open_path, daemon, group=GROUP, clients=4), Line(open_path) as root:
        said = ask(open_path, STATUS, groups=(NOBODY,), connections=4)

        assert [*map(_kind, said)] == ["done", "done", "busy", "busy"]
        assert root.ask("status")["result"]["state"] == "Idle"
