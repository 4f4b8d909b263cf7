# SPDX-License-Identifier: Apache-2.0
"""A user who is not root holds updates up for a time, and writes nothing."""

import pytest

from ota_agent.control import ControlOptions
from ota_agent.control.controls import Controls
from ota_agent.errors import AgentError
from ota_agent.memory.store import Store
from tests.unit.agent.control.test_controls import Waiter, none_is_left, store

__all__ = ["none_is_left", "store"]  # fixtures


def test_a_user_who_is_not_root_holds_an_update_for_a_time_alone(store: Store) -> None:
    now = 0.0
    controls = Controls(ControlOptions(hold=100.0, refresh=0.1), store, clock=lambda: now)
    controls.hold("ArtifactReboot")
    now = 1000.0  # no update has come so far
    waiter = Waiter(controls)
    assert waiter.waits()

    now = 1099.0
    controls.hold("ArtifactReboot")
    assert waiter.waits()
    now = 1101.0

    assert waiter.passes()
    controls.hold("ArtifactReboot")
    assert Waiter(controls).passes(), "the same update is held once"
    controls.clear()
    controls.hold("ArtifactReboot")
    assert Waiter(controls).waits(), "the next update is another one"


def test_a_user_who_is_not_root_writes_nothing_and_undoes_nothing_of_root(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.hold("ArtifactReboot")
    assert store.text("control") == ""
    controls.release()
    assert Waiter(controls).passes()
    controls.pause("ArtifactReboot")
    waiter = Waiter(controls)
    assert waiter.waits()

    with pytest.raises(AgentError, match="only root may continue them"):
        controls.release()

    assert waiter.waits()


def test_a_user_who_is_not_root_aborts_one_update_in_a_time(store: Store) -> None:
    now = 5.0
    controls = Controls(ControlOptions(hold=100.0), store, clock=lambda: now)
    controls.count_refusal()

    now = 104.0
    with pytest.raises(AgentError, match=r"only root may abort another one within 1 s"):
        controls.count_refusal()
    now = 106.0

    controls.count_refusal()


def test_what_changes_nothing_wakes_nobody_and_writes_nothing(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.pause("ArtifactReboot")
    before = controls._version

    controls.pause("ArtifactReboot")
    controls.set_enabled(True)
    controls.set_window("")

    assert controls._version == before
