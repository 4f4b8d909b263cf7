# SPDX-License-Identifier: Apache-2.0
"""The table of calls is all that can be called, and each call has its method."""

import inspect
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ota_agent.api.calls import CALLS
from ota_agent.api.dispatch import answer
from ota_agent.api.peer import Peer
from ota_agent.api.standalone import StandaloneCommands
from ota_agent.api.status import LiveStatus
from ota_agent.control import ControlOptions
from ota_agent.control.controls import Controls
from ota_agent.engine.daemon import Daemon
from ota_agent.memory.store import Store

WITHOUT_A_DAEMON = (
    *("status", "watch", "pause", "continue", "abort"),
    *("set_enabled", "set_window", "set_control_map", "token", "fetch_token"),
)


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[StandaloneCommands]:
    """What a command carries out that is the agent for one update."""
    store = Store(tmp_path / "state.db")
    yield StandaloneCommands(Controls(ControlOptions(), store), LiveStatus())
    store.close()


@pytest.fixture
def root() -> Iterator[Peer]:
    """A client that may send everything."""
    one, other = socket.socketpair()
    with one, other:
        yield Peer(socket=one, uid=0, is_root=True, since=0.0)


def ask(root: Peer, target: StandaloneCommands, call: str, **arguments: object) -> Any:
    line = json.dumps({"call": call, **arguments}).encode()
    return json.loads(answer(line, root, target.live, target))


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda each: each.name)
def test_every_call_has_a_method_that_takes_its_arguments(call: Any) -> None:
    targets = (Daemon, StandaloneCommands)
    name = call.method or call.name

    methods = [getattr(each, name) for each in targets if hasattr(each, name)]

    assert bool(methods) == (call.name not in ("status", "watch"))
    for method in methods:
        assert [*inspect.signature(method).parameters][1:] == [*call.takes]


@pytest.mark.parametrize(
    "name",
    ["go_on", "controls", "live", "run", "wants", "_poll", "__class__", "__init__", "Status", ""],
)
def test_nothing_beyond_the_table_can_be_called(
    root: Peer, standalone: StandaloneCommands, name: str
) -> None:
    error = ask(root, standalone, name)["error"]

    assert error["kind"] == "invalid"
    assert f"there is no call {name!r}" in error["text"]


def test_root_asks_for_another_user_and_the_log_names_that_one(
    root: Peer, standalone: StandaloneCommands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    assert "result" in ask(root, standalone, "pause", before="ArtifactReboot", asker=1000)

    assert "asked by user 1000: pause" in caplog.text
    assert standalone.controls._store.text("control") == ""


@pytest.mark.parametrize("asker", [-1, 1 << 32, True, "0", None, 1.0])
def test_an_asker_is_the_number_of_a_user(
    root: Peer, standalone: StandaloneCommands, asker: object
) -> None:
    error = ask(root, standalone, "continue", asker=asker)["error"]

    assert error == {"kind": "invalid", "text": "continue: asker has to be the number of a user"}


def test_a_standalone_command_refuses_what_takes_the_daemon(
    root: Peer, standalone: StandaloneCommands
) -> None:
    given = {str: "text", bool: True}

    for call in CALLS.values():
        if call.name in WITHOUT_A_DAEMON:
            continue
        found = ask(root, standalone, call.name, **{k: given[v] for k, v in call.takes.items()})
        assert found["error"] == {
            "kind": "busy",
            "text": "another ota-agent command is running; try again when it has finished",
        }


def test_a_standalone_command_can_be_held_up_and_shows_it(
    root: Peer, standalone: StandaloneCommands
) -> None:
    given = {"before": "ArtifactReboot", "enabled": False, "window": "22:00-05:00", "reason": "no"}
    given["map"] = '{"id": "01234567-89ab-cdef-0123-456789abcdef", "priority": 1, "states": {}}'

    for name in WITHOUT_A_DAEMON:
        arguments = {key: given[key] for key in CALLS[name].takes}
        assert "result" in ask(root, standalone, name, **arguments), name

    status = ask(root, standalone, "status")["result"]
    assert (status["is_enabled"], status["window"]) == (False, "22:00-05:00")
    assert not standalone.controls.is_enabled
