# SPDX-License-Identifier: Apache-2.0
"""How patiently the server is told, and what a trial does while it is away."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.control import ControlOptions
from ota_agent.control.controls import Controls
from ota_agent.errors import Aborted, AgentError, Unreachable
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.server.client import Deployment
from ota_agent.server.deployment_log import DeploymentLog, LogOptions
from ota_agent.server.deployments import Deployments
from ota_agent.trial.boot_log import BootLogOptions
from ota_agent.trial.health import CommitOptions

UPDATE = Update(source=Address("https://server/a"), deployment="d1")


@dataclass(kw_only=True)
class Away:
    """A server that cannot be reached for a while; what it was told; a clock that sleeps move."""

    for_seconds: float
    retry_after: float = 0.0
    time: float = 0.0
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    then: AgentError | None = None

    def report(self, deployment: str, status: str, substate: str = "") -> None:
        if self.time < self.for_seconds:
            raise Unreachable("no network", self.retry_after)
        if self.then:
            raise self.then
        self.told.append(f"{status} {substate}".strip())

    def next_deployment(self, provides: object, device_type: str) -> Deployment:
        self.report("d1", "next")
        return Deployment(id="d1", url=Address("https://server/b"))

    def forget_token(self) -> None: ...

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "state.db")
    yield found
    found.close()


def of(server: Away, store: Store, tmp_path: Path, **commit: object) -> Deployments:
    controls = Controls(ControlOptions(), store)
    setattr(controls, "wait", server.sleep)  # noqa: B010 - a method of only this one
    return Deployments(
        server=server,  # type: ignore[arg-type]
        controls=controls,
        store=store,
        log=DeploymentLog(LogOptions(folder=tmp_path)),
        commit=CommitOptions(**commit),  # type: ignore[arg-type]
        device_type="board",
        boot=None,
        boot_log=BootLogOptions(folder=tmp_path / "boots"),
        paused=lambda before, by: None,
        clock=lambda: server.time,
        sleep=server.sleep,
    )


def test_the_end_is_told_when_the_server_is_back(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=4000.0)

    of(server, store, tmp_path).report_end(UPDATE, "success")

    assert server.told == ["success"]
    assert server.slept[0] < server.slept[3] <= 375.0


def test_what_a_health_check_says_is_told_without_secrets(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=0.0)

    of(server, store, tmp_path).report(
        UPDATE, "failure", "health check x: exit code 1: psk=hunter2"
    )

    assert server.told == ["failure health check x: exit code 1: psk=(redacted)"]


def test_a_new_address_is_waited_for_while_the_server_is_out_of_reach_too(
    store: Store, tmp_path: Path
) -> None:
    server = Away(for_seconds=2000.0)

    found = of(server, store, tmp_path).renew(UPDATE, 3600.0)

    assert found == Address("https://server/b")
    assert server.slept


@pytest.mark.parametrize("then", [None, AgentError("refused")])
def test_a_new_address_that_is_not_given_is_not_waited_for_for_ever(
    store: Store, tmp_path: Path, then: AgentError | None
) -> None:
    server = Away(for_seconds=0.0 if then else 9000.0, then=then)

    assert of(server, store, tmp_path).renew(UPDATE, 3600.0) is None
    assert server.time <= 3600.0


def test_an_abort_ends_the_wait_for_a_new_address(store: Store, tmp_path: Path) -> None:
    deployments = of(Away(for_seconds=9000.0), store, tmp_path)
    deployments.controls.abort("not today")

    with pytest.raises(Aborted, match="not today"):
        deployments.renew(UPDATE, 3600.0)


def test_the_end_is_told_without_haste_after_an_abort(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=100.0)
    deployments = of(server, store, tmp_path)
    deployments.controls.abort("not today")

    deployments.report_end(UPDATE, "failure")

    assert server.told == ["failure"]
    assert len(server.slept) < 10


def test_a_server_that_does_not_want_to_know_is_left_alone(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=0.0, then=Aborted("deployment d1: gone"))

    of(server, store, tmp_path).report_end(UPDATE, "success")

    assert not server.slept


def test_after_a_week_it_is_given_up(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1e9)

    of(server, store, tmp_path).report_end(UPDATE, "success")

    assert 600_000 < server.time < 610_000


def test_a_server_that_asks_to_wait_is_not_asked_before(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1000.0, retry_after=600.0)

    of(server, store, tmp_path).report_end(UPDATE, "success")

    assert all(600.0 <= each <= 750.0 for each in server.slept)


def test_a_trial_waits_for_the_server_and_says_so_once(store: Store, tmp_path: Path) -> None:
    server, waits = Away(for_seconds=1000.0), []

    of(server, store, tmp_path).reach(UPDATE, "installing", lambda: waits.append(1))

    assert server.told == ["installing"]
    assert waits == [1]


def test_a_trial_whose_server_stays_away_is_over(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1e9)

    with pytest.raises(AgentError, match=r"out of reach for .* policy is require-server"):
        of(server, store, tmp_path, server_patience=1800.0).reach(
            UPDATE, "installing", lambda: None
        )

    assert 1800.0 <= server.time < 2400.0


@pytest.mark.parametrize(("policy", "least"), [("grace", 7200.0), ("local", 0.0)])
def test_a_board_that_is_offline_commits_by_its_policy(
    policy: str, least: float, store: Store, tmp_path: Path
) -> None:
    server = Away(for_seconds=1e9)

    of(server, store, tmp_path, policy=policy, grace=7200.0).reach(
        UPDATE, "installing", lambda: None
    )

    assert least <= server.time < least + 400.0


def test_an_abort_ends_the_wait_of_a_trial(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1e9)
    deployments = of(server, store, tmp_path)

    with pytest.raises(Aborted, match="not today"):
        deployments.reach(UPDATE, "installing", lambda: deployments.controls.abort("not today"))


def test_the_time_that_the_server_is_away_counts_over_power_cuts(
    store: Store, tmp_path: Path
) -> None:
    first = Away(for_seconds=1e9)
    deployments = of(first, store, tmp_path, policy="grace", grace=7200.0)

    def cut() -> None:
        deployments.controls.abort("power") if first.time > 3_000 else None

    sleep = first.sleep

    def slept(seconds: float) -> None:
        sleep(seconds)
        cut()

    deployments.controls.wait = slept  # type: ignore[method-assign,assignment]
    with pytest.raises(Aborted):
        deployments.reach(UPDATE, "installing", lambda: None)

    second = Away(for_seconds=1e9)
    of(second, store, tmp_path, policy="grace", grace=7200.0).reach(
        UPDATE, "installing", lambda: None
    )

    longest = 300.0 * 1.25  # [s] between two tries; the one that was cut off is not counted
    assert 7_200 - 3_000 <= second.time <= 7_200 - 3_000 + 2 * longest


def test_one_long_retry_after_does_not_end_a_trial(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1500.0, retry_after=86400.0)

    of(server, store, tmp_path, server_patience=7200.0).reach(UPDATE, "installing", lambda: None)

    assert server.told == ["installing"]


def test_the_log_is_given_when_the_server_is_back(store: Store, tmp_path: Path) -> None:
    server = Away(for_seconds=1000.0)
    given: list[int] = []

    def send_log(deployment: str, lines: list[dict[str, str]]) -> None:
        if server.time < server.for_seconds:
            raise Unreachable("no network")
        given.append(len(lines))

    server.send_log = send_log  # type: ignore[attr-defined]
    deployments = of(server, store, tmp_path)
    deployments.log.open("d1")

    deployments.send_log(UPDATE)
    deployments.log.close()

    assert given
