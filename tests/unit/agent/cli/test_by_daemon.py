# SPDX-License-Identifier: Apache-2.0
"""A command for a daemon that runs, or is starting: a user may be early after a boot."""

import time
from pathlib import Path
from threading import Thread

import pytest

from ota_agent.api.client import Client, NoAgent
from ota_agent.api.messages import Wrong
from ota_agent.cli import by_daemon
from ota_agent.errors import Busy, NothingInProgress
from tests.unit.agent.api.serving import Daemon, serving


def test_a_daemon_that_starts_is_waited_for(tmp_path: Path) -> None:
    path, answers = tmp_path / "sock", list[str]()

    def ask() -> None:
        with by_daemon._connect(path) as client:
            answers.append(client.status().state)

    user = Thread(target=ask)
    user.start()
    time.sleep(0.1)
    with serving(path, Daemon()):
        user.join(20)

    assert answers == ["Idle"]


def test_a_daemon_that_never_serves_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_daemon, "_STARTS", 0.1)

    with pytest.raises(NoAgent, match="no agent serves there"):
        by_daemon._connect(tmp_path / "sock")


@pytest.mark.parametrize("state", ["Installed", "Trying"])  # as it was left, as it is looked at
def test_a_commit_waits_until_the_daemon_has_looked_at_its_trial(
    tmp_path: Path, state: str
) -> None:
    daemon, found = Daemon(refuses="busy", refuses_with=Busy), list[str]()
    daemon.live.change(state=state)

    def ask() -> None:
        with Client(tmp_path / "sock") as client:
            found.append(by_daemon._ask(client, "commit", {}).state)

    with serving(tmp_path / "sock", daemon):
        user = Thread(target=ask)
        user.start()
        time.sleep(0.1)
        assert not found
        daemon.live.change(state="Proven")
        daemon.refuses = ""
        user.join(20)

    assert found == ["Proven"]
    assert daemon.heard == [("commit",)]


def test_a_trial_that_is_never_looked_at_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_daemon, "_STARTS", 0.1)
    daemon = Daemon(refuses="busy: an update is at Installed", refuses_with=Busy)
    daemon.live.change(state="Installed")

    with (
        serving(tmp_path / "sock", daemon),
        Client(tmp_path / "sock") as client,
        pytest.raises(Wrong, match="an update is at Installed"),
    ):
        by_daemon._ask(client, "commit", {})


def test_a_commit_during_an_install_is_refused_at_once(tmp_path: Path) -> None:
    daemon = Daemon(refuses="busy: an update is at Download", refuses_with=Busy)
    daemon.live.change(state="Downloading")

    with (
        serving(tmp_path / "sock", daemon),
        Client(tmp_path / "sock") as client,
        pytest.raises(Wrong, match="at Download"),
    ):
        by_daemon._ask(client, "commit", {})


def test_an_update_that_went_back_meanwhile_is_none(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "sock", Daemon()),
        Client(tmp_path / "sock") as client,
        pytest.raises(NothingInProgress, match="No update in progress"),
    ):
        by_daemon._ask(client, "commit", {})


def test_a_commit_is_watched_from_its_begin_and_not_from_the_end_of_the_trial(
    tmp_path: Path,
) -> None:
    class Proving(Daemon):
        def commit(self) -> None:
            self.live.change(state="Proven")

    daemon, found = Proving(), list[str]()
    daemon.live.change(state="Trying")

    def ask() -> None:
        found.append(by_daemon.follow(tmp_path / "sock", "commit", {}).state)

    with serving(tmp_path / "sock", daemon):
        user = Thread(target=ask)
        user.start()
        user.join(0.5)
        assert not found
        daemon.live.change(state="Committing")
        daemon.live.change(state="Idle", updates=1)
        user.join(20)

    assert found == ["Idle"]


def test_an_install_has_not_ended_when_a_poll_has(tmp_path: Path) -> None:
    daemon, found = Daemon(), list[str]()

    def ask() -> None:
        status = by_daemon.follow(tmp_path / "sock", "install", {"source": "/v2.mender"})
        found.append(f"{status.state} {status.reason}")

    with serving(tmp_path / "sock", daemon):
        user = Thread(target=ask)
        user.start()
        for state in ("Syncing", "Idle"):  # a poll, which has nothing
            time.sleep(0.3)
            daemon.live.change(state=state)
        time.sleep(0.3)
        assert not found
        daemon.live.change(state="Downloading")
        time.sleep(0.3)
        daemon.live.change(state="Idle", updates=1, result="failure", reason="late")
        user.join(20)

    assert found == ["Idle late"]
