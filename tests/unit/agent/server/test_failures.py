# SPDX-License-Identifier: Apache-2.0
"""A deployment that has failed is not downloaded at each poll, however often it is offered."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.errors import AgentError
from ota_agent.lifecycle.events import NothingNew, Offered
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.store import Store
from ota_agent.server.client import Deployment
from ota_agent.server.deployments import Deployments
from ota_agent.server.failures import Failures
from tests.unit.agent.server.test_deployments import Away, of

HOUR = 3600.0


class Values:
    """The memory, and a device with two clocks."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.time, self.day = 0.0, 1_800_000_000.0
        self.writes = 0

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text
        self.writes += 1

    def failures(self) -> Failures:
        return Failures(self, clock=lambda: self.time, now=lambda: self.day)

    def passes(self, seconds: float) -> None:
        self.time += seconds
        self.day += seconds


@pytest.fixture
def device() -> Values:
    return Values()


def tries(device: Values, seconds: float, offer: Callable[[], tuple[str, str]]) -> int:
    """How often an artifact that always fails is tried, polled every 30 minutes."""
    failures, count, end = device.failures(), 0, device.time + seconds
    while device.time < end:
        deployment, artifact = offer()
        if failures.held(deployment, artifact) is None:
            count += 1
            failures.note(deployment, artifact, "why")
        device.passes(1800.0)
    return count


def test_each_further_try_waits_twice_as_long_up_to_a_day(device: Values) -> None:
    assert tries(device, 24 * HOUR, lambda: ("d1", "v2")) == 6
    assert tries(device, 7 * 24 * HOUR, lambda: ("d1", "v2")) == 7


def test_another_try_is_made_at_once_if_asked_for(device: Values) -> None:
    failures = device.failures()
    failures.note("d1", "v2", "why")

    assert failures.held("d1", "v2") is not None
    assert failures.held("d2", "v2") is None
    assert failures.held("d1", "v3") is None
    assert failures.held("d2", "") is None


def test_a_server_that_invents_a_name_for_each_offer_does_not_cost_for_ever(
    device: Values,
) -> None:
    names = iter(range(10_000))

    assert tries(device, 24 * HOUR, lambda: (f"d{next(names)}", "v2")) == 8


def test_a_server_that_invents_all_names_fetches_headers_alone_after_a_while(
    device: Values,
) -> None:
    count, end = 0, 24 * HOUR
    while device.time < end:
        failures = device.failures()
        if failures.held_digest("d" * 64) is None:
            count += 1
        failures.note(f"d{device.time}", f"v{device.time}", "why", digest="d" * 64)
        device.passes(1800.0)

    assert count == 8
    assert failures.held_digest("e" * 64) is None
    failures.forget("x", "", digest="d" * 64)
    assert failures.held_digest("d" * 64) is None


def test_an_artifact_that_failed_by_other_names_is_refused_by_its_header(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "state.db")
    deployments = of(Away(for_seconds=0.0), store, tmp_path)
    for number in range(3):
        failed = Update(
            source=Address("https://server/a"),
            deployment=f"d{number}",
            artifact=Artifact(name=f"v{number}", digest="d" * 64),
            reason="it panics",
        )
        deployments.note_end(failed)

    with pytest.raises(AgentError, match=r"has failed 3 times, and is not tried .*: it panics"):
        deployments.require_new(Update(source=Address("x"), deployment="d4"), "d" * 64)
    deployments.require_new(Update(source=Address("x"), deployment="d4"), "e" * 64)
    deployments.require_new(Update(source=Address("x")), "d" * 64)
    store.close()


def test_what_a_newer_agent_wrote_of_a_failure_is_read_as_far_as_it_is_known(
    device: Values,
) -> None:
    device.failures().note("d1", "v2", "why")
    device.texts["failed"] = device.texts["failed"].replace("{", '{"new": 1, ')

    assert device.failures().held("d1", "v2") is not None


def test_two_deployments_by_turns_wait_both(device: Values) -> None:
    names = iter(["d1", "d2"] * 10_000)

    assert tries(device, 24 * HOUR, lambda: (next(names), "")) <= 12


@pytest.mark.parametrize("day", [0.0, 1_700_000_000.0, 1_800_000_000.0])
def test_it_waits_over_a_restart_whatever_the_clock_says(device: Values, day: float) -> None:
    device.failures().note("d1", "v2", "why")
    device.time, device.day = 5.0, day

    again = device.failures()
    held = again.held("d1", "v2")
    assert held is not None
    assert held[0].reason == "why"
    assert held[1] == pytest.approx(1800.0, abs=10)

    device.time += 1900.0
    assert again.held("d1", "v2") is None


def test_an_end_that_is_told_again_after_a_restart_is_the_same_end(device: Values) -> None:
    device.failures().note("d1", "v2", "why")
    device.passes(60)
    again = device.failures()

    again.note("d1", "v2", "why")

    held = again.held("d1", "v2")
    assert held is not None
    assert held[0].count == 1
    assert device.writes == 1


def test_a_success_forgets_what_its_artifact_did(device: Values) -> None:
    failures = device.failures()
    failures.note("d1", "v2", "why")
    failures.note("d2", "v3", "why")

    failures.forget("d9", "v2")

    assert failures.held("d1", "v2") is None
    assert failures.held("d2", "v3") is not None
    failures.forget("d2", "")
    assert device.texts == {"failed": ""}


def test_a_success_writes_nothing_where_nothing_has_failed(device: Values) -> None:
    device.failures().forget("d1", "v2")

    assert device.writes == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[5]",
        "[" * 50_000,
        '[{"deployment": "d1"}]',
        '[{"deployment": 1, "artifact": "", "reason": "", "count": 1, "at": 0}]',
        '[{"deployment": "d1", "artifact": "", "reason": "", "count": "x", "at": 0}]',
        '[{"deployment": "d1", "artifact": "", "reason": "", "count": 1, "at": NaN}]',
    ],
    ids=lambda text: text[:60],
)
def test_a_damaged_memory_holds_nothing_up(device: Values, text: str) -> None:
    device.texts["failed"] = text

    failures = device.failures()

    assert failures.held("d1", "v2") is None
    failures.note("d1", "v2", "why")
    assert failures.held("d1", "v2") is not None


def test_only_so_many_are_remembered(device: Values) -> None:
    failures = device.failures()
    for number in range(100):
        failures.note(f"d{number}", f"v{number}", "x" * 5000)

    assert len(device.texts["failed"]) < 8000


class Insisting(Away):
    """A server that offers the same deployment at each poll, whatever it is told."""

    logs = 0

    def next_deployment(self, provides: object, device_type: str) -> Deployment:
        return Deployment(id="d1", url=Address("https://server/a"), artifact="v2")

    def send_log(self, deployment: str, lines: object) -> None:
        if self.then:
            raise self.then
        self.logs += 1


def failed(deployments: Deployments) -> None:
    offered = deployments.poll()
    assert isinstance(offered, Offered)
    artifact = Artifact(name="v2")
    deployments.note_end(
        Update(
            source=offered.update.source, deployment="d1", artifact=artifact, reason="bad payload"
        )
    )


def test_the_server_is_told_the_old_reason_without_a_download(tmp_path: Path) -> None:
    store, server = Store(tmp_path / "state.db"), Insisting(for_seconds=0.0)
    deployments = of(server, store, tmp_path)
    failed(deployments)

    answers = [deployments.poll() for _ in range(9)]

    assert all(isinstance(each, NothingNew) for each in answers)
    assert server.told == ["failure bad payload"] * 9
    assert server.logs == 1
    server.time += 2000.0
    assert isinstance(deployments.poll(), Offered)
    store.close()


@pytest.mark.parametrize("error", [AgentError("403"), None])
def test_a_server_that_does_not_take_the_reason_holds_nothing_up(
    tmp_path: Path, error: AgentError | None
) -> None:
    store, server = Store(tmp_path / "state.db"), Insisting(for_seconds=0.0)
    deployments = of(server, store, tmp_path)
    failed(deployments)
    server.then = error

    assert isinstance(deployments.poll(), NothingNew)

    again = of(server, store, tmp_path)
    assert isinstance(again.poll(), NothingNew)
    store.close()
