# SPDX-License-Identifier: Apache-2.0
"""A command for a daemon that is there, or is about to be: a person is early after a boot."""

import time
from pathlib import Path
from threading import Thread

import pytest

from ota_agent.api.client import Client, NoAgent
from ota_agent.cli import by_daemon
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


def test_a_trial_that_has_just_begun_is_looked_at_first(tmp_path: Path) -> None:
    daemon, found = Daemon(), list[str]()
    daemon.bulletin.change(state="Trying")

    def ask() -> None:
        with Client(tmp_path / "sock") as client:
            found.append(by_daemon._looked(client).state)

    with serving(tmp_path / "sock", daemon):
        person = Thread(target=ask)
        person.start()
        time.sleep(0.1)
        assert not found
        daemon.bulletin.change(state="Proven")
        person.join(20)

    assert found == ["Proven"]
