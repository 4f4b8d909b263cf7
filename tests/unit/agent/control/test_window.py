# SPDX-License-Identifier: Apache-2.0
"""When updates may be installed."""

from datetime import datetime

import pytest

from ota_agent.control.window import is_open, parse_window
from ota_agent.errors import AgentError

MONDAY = 23  # of November 2026


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, MONDAY + day, hour, minute)


@pytest.mark.parametrize(
    ("window", "when", "expected"),
    [
        ("", at(0, 12), True),
        ("22:00-05:00", at(0, 12), False),
        ("22:00-05:00", at(0, 22), True),
        ("22:00-05:00", at(1, 4, 59), True),
        ("22:00-05:00", at(1, 5), False),
        ("Mon-Fri 22:00-05:00", at(5, 4), True),
        ("Mon-Fri 22:00-05:00", at(5, 23), False),
        ("Sat-Mon 10:00-11:00", at(0, 10), True),
        ("Sat-Mon 10:00-11:00", at(1, 10), False),
        ("sun 00:00-24:00", at(6, 23, 59), True),
        ("sun 00:00-24:00", at(0, 0), False),
        ("Tue 01:00-02:00, Wed 03:00-04:00", at(2, 3, 30), True),
    ],
)
def test_a_window_is_open_when_it_says(window: str, when: datetime, expected: bool) -> None:
    assert is_open(parse_window(window), when) == expected


@pytest.mark.parametrize("text", ["night", "25:00-26:00", "10:60-11:00", "Mo 10:00-11:00", ",",
                                  "10:00-24:30"])  # fmt: skip
def test_a_text_that_is_not_a_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AgentError, match="is not a span; write it as '22:00-05:00'"):
        parse_window(text)
