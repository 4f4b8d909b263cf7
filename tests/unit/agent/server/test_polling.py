# SPDX-License-Identifier: Apache-2.0
"""How long the agent waits until it asks again."""

import pytest

from ota_agent.server.polling import (
    PollOptions,
    as_attributes,
    backoff,
    first_delay,
    next_delay,
)


def middle() -> float:
    return 0.5


def lowest() -> float:
    return 0.0


def highest() -> float:
    return 1.0


def all_of(options: PollOptions) -> list[float]:
    found, failures = [], 1
    while (delay := backoff(options, failures)) is not None and failures < 50:
        found.append(delay)
        failures += 1
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PollOptions(), [60] * 3 + [120] * 3 + [240] * 3 + [300] * 3),
        (PollOptions(retry=60), [60] * 3),
        (PollOptions(retry=5), [5] * 3),
        (PollOptions(retry=100), [60] * 3 + [100] * 3),
        (PollOptions(retry=300, retry_count=2), [60, 60]),
        (PollOptions(retry=100, retry_count=8), [60] * 3 + [100] * 5),
        (PollOptions(retry=5, retry_count=4), [5] * 4),
    ],
)
def test_delays_grow_as_menders_do_and_end(options: PollOptions, expected: list[float]) -> None:
    assert all_of(options) == expected


def test_a_failure_shortens_the_wait_and_giving_up_brings_the_usual_one_back() -> None:
    options = PollOptions()

    found = [next_delay(options, 1800, failures, random=middle) for failures in (0, 1, 4, 12, 13)]

    assert found == [1800, 60, 120, 300, 1800]


def test_a_failure_never_makes_the_wait_longer_than_the_interval() -> None:
    assert next_delay(PollOptions(), 5, 9, random=middle) == 5


def test_delays_differ_between_devices_within_the_jitter() -> None:
    options = PollOptions(jitter=0.1)

    found = [next_delay(options, 1000, 0, random=each) for each in (lowest, middle, highest)]

    assert found == [pytest.approx(900), 1000, pytest.approx(1100)]


def test_nobody_asks_before_the_server_wants_it() -> None:
    options = PollOptions(jitter=0.5)

    for wait in (10.0, 1000.0, 1800.0, 5000.0):
        for each in (lowest, middle, highest):
            assert next_delay(options, 1800, 0, random=each, retry_after=wait) >= wait
    assert next_delay(options, 1800, 0, random=highest, retry_after=5000) == 7500


@pytest.mark.parametrize(
    ("options", "asked", "expected"),
    [
        (PollOptions(), 0, 1800),
        (PollOptions(), 600, 600),
        (PollOptions(), 1, 30),
        (PollOptions(), 86400, 21600),
        (PollOptions(server_longest=0), 600, 1800),
        (PollOptions(server_shortest=5), 6, 6),
    ],
)
def test_a_server_says_when_to_ask_again_within_our_bounds(
    options: PollOptions, asked: float, expected: float
) -> None:
    assert options.interval("update", asked) == expected
    assert options.interval("inventory", asked) == options.inventory


def test_the_first_question_comes_within_the_spread() -> None:
    assert first_delay(PollOptions(start_spread=10), random=lambda: 0.25) == 2.5


def test_the_inventory_has_the_intervals_by_menders_names() -> None:
    assert as_attributes(PollOptions(retry=5)) == {
        "interval-update-poll-seconds": "1800",
        "interval-inventory-poll-seconds": "28800",
        "interval-retry-poll-seconds": "5",
        "interval-retry-poll-count": "0",
    }
