# SPDX-License-Identifier: Apache-2.0
"""No faster than allowed, and no slower."""

import pytest

from ota_agent.download.source.limit import Limit
from tests.unit.agent.download.source.around import Time


def test_what_comes_as_fast_as_it_can_is_slowed_to_the_rate() -> None:
    time = Time()
    limit = Limit(10_000, clock=lambda: time.now, sleep=time.sleep)
    begun = time.now

    taken = 0
    while taken < 100_000:
        count = limit.portion(1 << 18)
        limit.take(count)
        taken += count

    assert time.now - begun == pytest.approx(100_000 / 10_000, rel=0.03)
    assert max(time.slept) <= 0.25


def test_what_comes_slower_is_not_held_up() -> None:
    time = Time()
    limit = Limit(10_000, clock=lambda: time.now, sleep=time.sleep)

    for _ in range(20):
        time.now += 1.0
        limit.take(2_500)

    assert time.slept == []


def test_a_pause_is_not_made_up_for() -> None:
    time = Time()
    limit = Limit(10_000, clock=lambda: time.now, sleep=time.sleep)
    time.now += 3600.0

    limit.take(12_500)

    assert sum(time.slept) == pytest.approx(1.0)


def test_without_a_limit_nothing_waits() -> None:
    time = Time()
    limit = Limit(0, clock=lambda: time.now, sleep=time.sleep)

    limit.take(1 << 30)

    assert limit.portion(123) == 123
    assert time.slept == []
