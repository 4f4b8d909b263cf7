# SPDX-License-Identifier: Apache-2.0
"""How fast a download is, as the status shows it."""

from ota_agent.download.fetch import Pace


def test_the_last_seconds_count_and_not_the_hour_before() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    received = 0
    for _ in range(100):
        now[0] += 1
        received += 1000
        pace.of(received)

    for _ in range(10):
        now[0] += 1
        received += 50
        speed = pace.of(received)

    assert speed == 50


def test_a_first_look_says_nothing_and_a_stop_says_nought() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])

    assert pace.of(500) == 0
    now[0] = 1.0
    assert pace.of(1500) == 1000
    now[0] = 60.0
    assert pace.of(1500) == 0
    now[0] = 61.0
    assert pace.of(1500) == 0
