# SPDX-License-Identifier: Apache-2.0
"""An update is held up, and continues; in two threads, and over a restart."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread, get_ident

import pytest

from ota_agent.control import ControlOptions
from ota_agent.control.controls import Controls
from ota_agent.errors import Aborted, AgentError, Unreachable
from ota_agent.memory.store import Store

ID = "0d1f8c1e-1c2d-4f6a-9c39-0b6f5f4f2d11"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "state.db")
    yield found
    found.close()


_waiters: list["Waiter"] = []


@pytest.fixture(autouse=True)
def none_is_left(store: Store) -> Iterator[None]:
    """No thread waits any longer when its test is over."""
    yield
    while _waiters:
        _waiters.pop().end()


class Waiter:
    """An update that waits to continue, in a thread."""

    def __init__(self, controls: Controls, before: str = "ArtifactReboot") -> None:
        self.told: list[tuple[str, str]] = []
        self.refreshed = 0
        self.error: AgentError | None = None
        self._before = before
        self._controls = controls
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        _waiters.append(self)

    def end(self) -> None:
        with suppress(AgentError):
            self._controls.abort("the test is over")
        self._thread.join(5)

    def _run(self) -> None:
        try:
            self._controls.wait_while_paused(
                self._before,  # type: ignore[arg-type]
                refresh=self._refresh,
                paused=lambda before, by: self.told.append((before, by)),
            )
        except AgentError as error:
            self.error = error

    def _refresh(self) -> None:
        self.refreshed += 1
        raise Unreachable("no network")

    def waits(self) -> bool:
        self._thread.join(0.1)
        return self._thread.is_alive()

    def passes(self) -> bool:
        self._thread.join(5)
        return not self._thread.is_alive()


def paused(state: str = "ArtifactReboot_Enter", **more: str) -> dict[str, object]:
    return {"id": ID, "states": {state: {"action": "pause", **more}}}


def test_nobody_holds_up_what_nobody_asked_for(store: Store) -> None:
    assert Waiter(Controls(ControlOptions(), store)).passes()


def test_a_user_pauses_and_continues(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.pause("ArtifactReboot")

    waiter = Waiter(controls)

    assert waiter.waits()
    assert waiter.told == [("ArtifactReboot", "device")]
    controls.go_on()
    assert waiter.passes()
    assert waiter.error is None


def test_a_pause_holds_up_its_own_state_alone(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.pause("ArtifactCommit")

    assert Waiter(controls, "ArtifactReboot").passes()


def test_an_abort_ends_the_wait_until_the_update_is_over(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.pause("ArtifactReboot")
    waiter = Waiter(controls)
    assert waiter.waits()

    controls.abort("not today")

    assert waiter.passes()
    assert isinstance(waiter.error, Aborted)
    with pytest.raises(Aborted, match="not today"):
        controls.check()
    controls.clear()
    controls.check()


def test_a_pause_outlives_a_restart(store: Store) -> None:
    Controls(ControlOptions(), store).pause("ArtifactReboot")

    controls = Controls(ControlOptions(), store)
    waiter = Waiter(controls)

    assert waiter.waits()
    controls.go_on()
    assert waiter.passes()
    assert store.text("control") == ""


def test_the_servers_map_pauses_and_is_asked_for_again(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.set_server_map("d1", {"states": {"ArtifactReboot_Enter": {"action": "pause"}}})

    waiter = Waiter(controls)

    assert waiter.waits()
    assert waiter.told == [("ArtifactReboot", "server")]
    assert waiter.refreshed == 1
    controls.set_server_map("d1", None)
    assert waiter.passes()


def test_a_map_that_fails_ends_the_update(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    states = {"ArtifactReboot_Enter": {"action": "fail"}}
    controls.set_map(json.dumps({"id": ID, "states": states}))

    waiter = Waiter(controls)

    assert waiter.passes()
    assert isinstance(waiter.error, Aborted)


def test_a_map_without_rules_takes_one_away(store: Store) -> None:
    controls = Controls(ControlOptions(expiry=3600), store)
    assert controls.set_map(json.dumps(paused())) == 1800
    waiter = Waiter(controls)
    assert waiter.waits()

    controls.set_map(json.dumps({"id": ID}))

    assert waiter.passes()


def test_after_a_restart_a_map_counts_for_the_shorter_time_of_a_boot(store: Store) -> None:
    text = json.dumps(paused(on_map_expire="continue"))
    Controls(ControlOptions(), store, clock=lambda: 1e6).set_map(text)
    time = [0.0]

    controls = Controls(ControlOptions(boot_expiry=600), store, clock=lambda: time[0])
    waiter = Waiter(controls)
    assert waiter.waits()
    time[0] = 601
    controls.go_on()  # has it look again

    assert waiter.passes()


def test_a_map_that_the_server_takes_for_an_abort_ends_the_wait(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.set_server_map("d1", {"states": {"ArtifactReboot_Enter": {"action": "pause"}}})

    def refresh() -> None:
        raise Aborted("deployment d1: not found")

    with pytest.raises(Aborted, match="not found"):
        controls.wait_while_paused(
            "ArtifactReboot", refresh=refresh, paused=lambda before, by: None
        )


@pytest.mark.parametrize(("hour", "waits"), [(12, True), (23, False)])
def test_outside_of_the_window_nothing_is_installed(hour: int, waits: bool, store: Store) -> None:
    now = datetime(2026, 11, 23, hour)
    controls = Controls(ControlOptions(window="22:00-05:00"), store, now=lambda: now)

    waiter = Waiter(controls, "ArtifactInstall")

    assert waiter.waits() == waits
    controls.set_window("")
    assert waiter.passes()
    assert waiter.told == ([("ArtifactInstall", "window")] if waits else [])


def test_updates_that_are_switched_off_wait(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.set_enabled(False)
    again = Controls(ControlOptions(), store)
    assert not again.is_enabled

    waiter = Waiter(again, "ArtifactInstall")

    assert waiter.waits()
    again.set_enabled(True)
    assert waiter.passes()


@pytest.mark.parametrize(
    "text",
    [
        '{"pauses": 3}',
        "[]",
        "7",
        "{",
        "[" * 50_000,
        '{"pauses": [[]], "maps": 7}',
        '{"pauses": [], "maps": [null, 5, {"map": []}]}',
        '{"pauses": [], "maps": [{"map": {"id": 1}, "server": 1, "over": 0}]}',
        '{"pauses": [], "maps": [], "window": "at night"}',
        '{"pauses": [], "maps": [], "window": 5}',
        '{"pauses": [], "maps": [], "enabled": "false"}',
    ],
    ids=lambda text: text[:40],
)
def test_what_cannot_be_read_any_more_holds_nothing_up(store: Store, text: str) -> None:
    store.put("control", text)

    controls = Controls(ControlOptions(), store)

    assert Waiter(controls, "ArtifactInstall").passes()
    assert (controls.window, controls.is_enabled) == ("", True)


def test_one_thing_that_cannot_be_read_does_not_take_the_others_away(store: Store) -> None:
    store.put("control", '{"pauses": ["ArtifactReboot"], "window": "at night", "maps": [5]}')

    assert Waiter(Controls(ControlOptions(), store)).waits()


def test_there_is_no_pause_before_other_states(store: Store) -> None:
    with pytest.raises(AgentError, match="'Download' is not one of ArtifactInstall"):
        Controls(ControlOptions(), store).pause("Download")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [{"unknown": 1}, {"id": ID}, {"states": 7}, [], "pause"])
def test_a_server_that_gives_no_map_fails_the_update_and_not_the_poll(
    value: object, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    controls = Controls(ControlOptions(), store)

    controls.set_server_map("deployment", value)

    waiter = Waiter(controls, "ArtifactInstall")
    assert waiter.passes()
    assert "does not allow ArtifactInstall" in str(waiter.error)
    assert "deployment deployment: update control map" in caplog.text


def test_the_server_is_asked_for_its_map_now_and_then_while_it_pauses(store: Store) -> None:
    now = [1000.0]
    controls = Controls(ControlOptions(refresh=60), store, clock=lambda: now[0])
    controls.set_server_map(ID, paused())
    waiter = Waiter(controls)
    assert waiter.waits()
    assert waiter.refreshed == 1

    for seconds, asked in ((59, 1), (2, 2), (58, 2), (3, 3)):
        now[0] += seconds
        controls.go_on()  # wakes it
        assert waiter.waits()
        assert waiter.refreshed == asked

    controls.set_server_map(ID, None)
    assert waiter.passes()


def test_what_changes_while_it_is_told_of_its_pause_is_not_missed(store: Store) -> None:
    controls = Controls(ControlOptions(), store)
    controls.pause("ArtifactReboot")

    def paused(before: str, by: str) -> None:
        controls.go_on()

    thread = Thread(
        target=lambda: controls.wait_while_paused(
            "ArtifactReboot", refresh=lambda: None, paused=paused
        )
    )
    thread.start()
    thread.join(5)

    assert not thread.is_alive()


def test_a_map_that_arrives_while_the_others_are_looked_at_disturbs_nobody(store: Store) -> None:
    """A clock that is asked about each map sends one more, in another thread."""
    waiting, sent = get_ident(), list[Thread]()

    def clock() -> float:
        if get_ident() == waiting and len(sent) < 8:
            other = json.dumps({**paused(), "id": f"{ID[:-1]}{len(sent)}"})
            sent.append(Thread(target=controls.set_map, args=(other,)))
            sent[-1].start()
            sent[-1].join(0.05)
        return 0.0

    controls = Controls(ControlOptions(), store)
    controls.set_map(json.dumps(paused()))
    controls = Controls(ControlOptions(boot_expiry=60), store, clock=clock)

    with pytest.raises(Aborted, match="enough"):
        controls.wait_while_paused(
            "ArtifactReboot",
            refresh=lambda: None,
            paused=lambda before, by: controls.abort("enough"),
        )

    for each in sent:
        each.join(5)


def test_an_approval_for_once_is_used_up_also_after_a_restart(store: Store) -> None:
    once = {"action": "force_continue", "on_action_executed": "pause"}
    controls = Controls(ControlOptions(), store)
    controls.set_map(json.dumps({"id": ID, "states": {"ArtifactReboot_Enter": once}}))

    assert Waiter(controls).passes()

    after = Controls(ControlOptions(), store)
    waiter = Waiter(after)
    assert waiter.waits()
    after.set_map(json.dumps({"id": ID}))
    assert waiter.passes()


def test_a_full_disk_stops_no_update(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    controls = Controls(ControlOptions(), store)

    def refuse(name: str, text: str) -> None:
        raise AgentError("no space")

    monkeypatch.setattr(store, "put", refuse)
    controls.set_server_map(ID, paused())

    waiter = Waiter(controls)
    assert waiter.waits()
    assert "not kept over a restart: no space" in caplog.text
    with pytest.raises(AgentError, match="no space"):
        controls.pause("ArtifactCommit")
    controls.set_server_map(ID, None)
    assert waiter.passes()
