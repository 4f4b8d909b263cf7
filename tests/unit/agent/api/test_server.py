# SPDX-License-Identifier: Apache-2.0
"""What the socket answers, and to whom it tells what changes."""

import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ota_agent.api import ApiOptions
from ota_agent.api.client import Client, NoAgent
from ota_agent.api.messages import Wrong
from ota_agent.api.server import ApiServer
from ota_agent.api.status import Status
from ota_agent.errors import AgentError
from ota_agent.lifecycle.step import Unexpected
from tests.unit.agent.api.serving import Daemon, Line, serving, wait_until


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def path(tmp_path: Path, daemon: Daemon) -> Iterator[Path]:
    """A socket that is served."""
    path = tmp_path / "run" / "agent.sock"
    with serving(path, daemon):
        yield path


def test_the_status_is_what_the_daemon_says(path: Path, daemon: Daemon) -> None:
    daemon.live.change(state="Downloading", size=10, done=4)

    with Client(path) as client:
        assert client.status() == Status(state="Downloading", size=10, done=4)


@pytest.mark.parametrize(
    ("call", "arguments", "result"),
    [
        ("install", {"source": "https://server/a.mender"}, {}),
        ("commit", {}, {}),
        ("rollback", {"reason": "smells"}, {}),
        ("resume", {}, {}),
        ("check_update", {}, {}),
        ("send_inventory", {}, {}),
        ("pause", {"before": "ArtifactReboot"}, {}),
        ("continue", {}, {}),
        ("abort", {"reason": "not now"}, {}),
        ("set_enabled", {"enabled": False}, {}),
        ("set_window", {"window": "22:00-05:00"}, {}),
        ("set_control_map", {"map": "{}"}, {"refresh": 900}),
        ("token", {}, {"token": "", "server": ""}),
        ("fetch_token", {}, {"is_fetching": True}),
    ],
)
def test_the_daemon_hears_what_it_is_asked(
    path: Path, daemon: Daemon, call: str, arguments: dict[str, Any], result: object
) -> None:
    with Client(path) as client:
        assert client.call(call, **arguments) == result

    assert daemon.heard == [(call, *arguments.values())]


def test_what_the_daemon_cannot_do_now_is_an_error(path: Path, daemon: Daemon) -> None:
    daemon.refuses = "an update is under way; abort it first"

    with Line(path) as line:
        answer = line.ask("install", source="a")

        assert answer == {"error": {"kind": "impossible", "text": daemon.refuses}}
        assert line.ask("status")["result"]["state"] == "Idle"


@pytest.mark.parametrize(
    ("error", "kind"), [(Unexpected("Offered in state Trying"), "impossible"), (KeyError(), "bug")]
)
def test_a_failing_daemon_is_an_error_and_the_connection_stays(
    path: Path,
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    kind: str,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(daemon, "commit", fail)

    with Line(path) as line:
        assert line.ask("commit")["error"]["kind"] == kind
        assert line.ask("status")["result"]["state"] == "Idle"
    assert ("Traceback" in caplog.text) == (kind == "bug")


def test_requests_in_one_packet_are_answered_in_their_order(path: Path) -> None:
    with Line(path) as line:
        line.send(b'{"call": "fetch_token"}\n{"call": "stat')
        line.send(b'us"}\n{"call": "token"}\n')

        answers = [line.next()["result"] for _ in range(3)]

    assert answers[0] == {"is_fetching": True}
    assert answers[1]["state"] == "Idle"
    assert answers[2] == {"token": "", "server": ""}


def test_requests_before_the_end_are_answered_and_half_a_line_is_not(
    path: Path, daemon: Daemon
) -> None:
    with Line(path) as line:
        line.send(b'{"call": "commit"}\n{"call": "resume"}')
        line.socket.shutdown(socket.SHUT_WR)

        assert line.next() == {"result": {}}
        assert line.next() is None
    assert daemon.heard == [("commit",)]


def test_a_watcher_sees_the_status_and_what_it_changes_to(path: Path, daemon: Daemon) -> None:
    with Client(path) as client:
        changes = client.watch()

        assert next(changes) == Status()
        daemon.live.change(state="Syncing")
        assert next(changes) == Status(state="Syncing")


def test_a_watcher_can_ask_as_well(path: Path, daemon: Daemon) -> None:
    with Line(path) as line:
        line.ask("watch")
        assert line.next()["status"]["waits_for"] == ""
        daemon.live.change(waits_for="ArtifactInstall")
        assert line.next()["status"]["waits_for"] == "ArtifactInstall"

        line.send({"call": "continue"})

        assert line.next() == {"result": {}}
        assert line.next()["status"]["waits_for"] == ""
    assert daemon.heard == [("continue",)]


def test_many_changes_are_few_lines_and_the_last_one_is_there(path: Path, daemon: Daemon) -> None:
    with Client(path) as client:
        changes = client.watch()
        next(changes)

        for done in range(1, 1001):
            daemon.live.change(done=done)
        seen = [next(changes).done]
        while seen[-1] < 1000:
            seen.append(next(changes).done)

    assert len(seen) <= 4
    assert seen[-1] == 1000


def test_a_change_that_nobody_watches_wakes_nobody(path: Path, daemon: Daemon) -> None:
    with Line(path) as line:
        assert line.ask("status")
    wait_until(lambda: not _is_running())
    before = _wakings()

    for done in range(100):
        daemon.live.change(done=done)

    assert _wakings() == before
    with Client(path) as client:
        assert client.status().done == 99
    wait_until(lambda: _wakings() > before)  # it is counted once the thread sleeps again


def test_requests_are_in_the_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    with Client(path) as client:
        client.call("abort", reason="no")
        client.call("token")

    assert f"asked by user {os.geteuid()}: abort" in caplog.text
    assert "token" not in caplog.text


def test_an_error_has_its_kind(path: Path) -> None:
    with Client(path) as client, pytest.raises(Wrong, match="no call") as caught:
        client.call("explode")

    assert caught.value.kind == "invalid"


def test_without_an_agent_the_command_knows_it(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(stale))

    for path in (tmp_path / "none", stale, stale / "below"):
        with pytest.raises(NoAgent, match="no agent serves there"):
            Client(path)


def test_an_agent_that_ends_is_noticed(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "agent.sock"
    with ApiServer(path, ApiOptions(), daemon.live, daemon) as server:
        client = Client(path)
        changes = client.watch()
        next(changes)

        server.stop()

        with pytest.raises(AgentError, match="the agent has ended"):
            next(changes)
    with client, pytest.raises(AgentError, match="has ended"):
        client.call("status")
    assert not path.exists()


def test_the_socket_is_roots_alone(path: Path) -> None:
    status = path.stat()

    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["agent.sock"]


def test_a_group_that_the_device_does_not_have_leaves_it_to_root(
    tmp_path: Path, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path / "sock", daemon, group="no such group"):
        assert stat.S_IMODE((tmp_path / "sock").stat().st_mode) == 0o600

    assert "no group no such group" in caplog.text


def test_what_a_killed_agent_left_is_replaced(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))

    with serving(path, daemon), Client(path) as client:
        assert client.status() == Status()


def test_a_second_agent_does_not_take_the_socket(path: Path, daemon: Daemon) -> None:
    second = ApiServer(path, ApiOptions(), daemon.live, daemon)

    with pytest.raises(AgentError, match="another agent serves there"):
        second.start()
    second.stop()
    with Client(path) as client:
        assert client.status() == Status()


def test_a_file_in_the_way_is_not_taken_away(tmp_path: Path, daemon: Daemon) -> None:
    (tmp_path / "file").write_text("precious")

    with pytest.raises(AgentError, match="is not a socket; remove it"):
        ApiServer(tmp_path / "file", ApiOptions(), daemon.live, daemon).start()
    assert (tmp_path / "file").read_text() == "precious"


def test_a_place_where_no_socket_can_be_says_so(tmp_path: Path, daemon: Daemon) -> None:
    for path in (tmp_path / ("x" * 120), Path("/proc/agent.sock")):
        with pytest.raises(AgentError, match="cannot listen there"):
            ApiServer(path, ApiOptions(), daemon.live, daemon).start()


def test_the_socket_of_a_successor_stays(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "agent.sock"
    with serving(path, daemon):
        path.unlink()
        with serving(path, daemon) as successor:
            pass
        with serving(path, daemon):
            successor.stop()
            assert path.is_socket()


def test_the_server_can_start_again(tmp_path: Path, daemon: Daemon) -> None:
    server = ApiServer(tmp_path / "sock", ApiOptions(), daemon.live, daemon)
    for _ in range(3):
        with server, Client(tmp_path / "sock") as client:
            assert client.status() == Status()


def test_a_server_sleeps_while_nothing_changes(path: Path) -> None:
    with Client(path) as client:
        next(client.watch())
        time.sleep(0.25)  # the watcher may have a change every 0.2 s
        before = _wakings()

        time.sleep(0.3)

        assert _wakings() == before


def _wakings() -> int:
    """How often the server's thread has gone to sleep. Source: proc(5), /proc/pid/task/tid."""
    text = (_thread() / "status").read_text()
    return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def _is_running() -> bool:
    return "State:\tR" in (_thread() / "status").read_text()


def _thread() -> Path:
    (number,) = (each.native_id for each in threading.enumerate() if each.name == "device API")
    return Path(f"/proc/self/task/{number}")
