# SPDX-License-Identifier: Apache-2.0
"""A command for a daemon that is there, or is about to be: a person is early after a boot."""

import time
from pathlib import Path
from threading import Thread

import pytest

from ota_agent.api.client import Client, NoAgent
from ota_agent.api.messages import Wrong
from ota_agent.cli import by_daemon
from ota_agent.errors import Busy
from tests.unit.agent.api.serving import Daemon, serving


def test_a_daemon_that_starts_is_waited_for(tmp_path: Path) -> None:
    path, answers = tmp_path / "sock", list[str]()

    def ask() -> None:
        with by_daemon._served(path) as client:
            answers.append(client.status().state)

    person = Thread(target=ask)
    person.start()
    time.sleep(0.1)
    with serving(path, Daemon()):
        person.join(20)

    assert answers == ["Idle"]


def test_a_daemon_that_never_serves_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_daemon, "_STARTS", 0.1)

    with pytest.raises(NoAgent, match="no agent serves there"):
        by_daemon._served(tmp_path / "sock")


@pytest.mark.parametrize("state", ["Installed", "Trying"])  # as it was left, as it is looked at
def test_a_commit_waits_until_the_daemon_has_looked_at_its_trial(
    tmp_path: Path, state: str
) -> None:
    daemon, found = Daemon(refuses="busy", refuses_with=Busy), list[str]()
    daemon.bulletin.change(state=state)

    def ask() -> None:
        with Client(tmp_path / "sock") as client:
            before = by_daemon._asked(client, "commit", {})
            found.append(before.state if before else "")

    with serving(tmp_path / "sock", daemon):
        person = Thread(target=ask)
        person.start()
        time.sleep(0.1)
        assert not found
        daemon.bulletin.change(state="Proven")
        daemon.refuses = ""
        person.join(20)

    assert found == ["Proven"]
    assert daemon.heard == [("commit",)]


def test_a_trial_that_is_never_looked_at_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_daemon, "_STARTS", 0.1)
    daemon = Daemon(refuses="busy: an update is at Installed", refuses_with=Busy)
    daemon.bulletin.change(state="Installed")

    with (
        serving(tmp_path / "sock", daemon),
        Client(tmp_path / "sock") as client,
        pytest.raises(Wrong, match="an update is at Installed"),
    ):
        by_daemon._asked(client, "commit", {})


def test_an_update_that_went_back_meanwhile_is_none(tmp_path: Path) -> None:
    with serving(tmp_path / "sock", Daemon()), Client(tmp_path / "sock") as client:
        assert by_daemon._asked(client, "commit", {}) is None
