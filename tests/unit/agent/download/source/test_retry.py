# SPDX-License-Identifier: Apache-2.0
"""Two budgets, and delays that grow until there is progress."""

from dataclasses import replace

import pytest

from ota_agent.download import DownloadOptions
from ota_agent.download.source.retry import Patience
from ota_agent.errors import AgentError
from tests.unit.agent.download.source.around import Time


def patience(time: Time, spent: float = 0.0, **options: float) -> Patience:
    return Patience("x", DownloadOptions(**options), time.surroundings, spent=spent)  # type: ignore[arg-type]


def test_delays_double_up_to_the_longest_and_begin_again_with_progress() -> None:
    time = Time()
    tried = patience(time, first_delay=2.0, longest_delay=10.0)

    waits = []
    for _ in range(5):
        before = time.now
        tried.wait("lost")
        waits.append(time.now - before)
    tried.progressed()
    before = time.now
    tried.wait("lost")

    assert waits == pytest.approx([2, 4, 8, 10, 10])
    assert time.now - before == pytest.approx(2)
    assert max(time.slept) <= 1.0


def test_a_fleet_does_not_come_back_at_once() -> None:
    waits = []
    for chance in (0.0, 0.999):
        time = Time()
        around = time.surroundings
        tried = Patience(
            "x",
            DownloadOptions(first_delay=8.0),
            replace(around, random=lambda each=chance: each),  # type: ignore[misc]
        )
        tried.wait("lost")
        waits.append(time.now - 1000)

    assert waits == pytest.approx([6, 10], abs=0.01)


def test_without_a_new_byte_it_is_given_up_with_the_reason() -> None:
    time = Time()
    tried = patience(time, no_progress=100.0)

    with pytest.raises(AgentError, match=r"x: not one new byte for 1\d\d s: lost; what is in the"):
        _wait(tried, 100)

    assert 1100 <= time.now < 1300


def test_progress_saves_it_until_the_total_is_used_up() -> None:
    time = Time()
    tried = patience(time, no_progress=100.0, total=1000.0)

    with pytest.raises(
        AgentError, match=r"x: not done after 10\d\d s: it continues, but too slowly"
    ):
        _wait(tried, 1000, progressing=True)


def _wait(tried: Patience, times: int, *, progressing: bool = False) -> None:
    for _ in range(times):
        tried.wait("lost")
        if progressing:
            tried.progressed()


def test_what_was_spent_before_a_restart_counts() -> None:
    time = Time()
    tried = patience(time, total=1000.0, spent=1000.0)

    assert tried.spent == 1000.0
    with pytest.raises(AgentError, match="not done after 1000 s: lost; give it more time"):
        tried.wait("lost")


def test_a_server_that_asks_for_no_wait_is_given_up_all_the_same() -> None:
    time = Time()
    tried = patience(time, no_progress=100.0)

    def ask_again_and_again() -> None:
        for _ in range(200):
            tried.wait("busy", 0.0)

    with pytest.raises(AgentError, match=r"x: not one new byte for 1\d\d s: busy"):
        ask_again_and_again()


def test_a_wait_that_the_server_asks_for_does_not_count_as_no_progress() -> None:
    time = Time()
    tried = patience(time, no_progress=100.0)

    for _ in range(5):
        tried.wait("busy", 90.0)

    assert 5 * 90 <= time.now - 1000 <= 5 * 90 * 1.25


def test_a_server_cannot_ask_for_a_year() -> None:
    time = Time()
    tried = patience(time, longest_retry_after=600.0)

    tried.wait("busy", 3e7)

    assert 600 <= time.now - 1000 <= 750


def test_an_abort_ends_a_wait() -> None:
    time = Time(aborted=AgentError("aborted"))

    with pytest.raises(AgentError, match="aborted"):
        patience(time).wait("lost")

    assert time.slept == []
