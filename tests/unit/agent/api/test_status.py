# SPDX-License-Identifier: Apache-2.0
"""The status as a value and as JSON, and who hears of a change."""

import json
from threading import Thread

import pytest

from ota_agent.api.status import LiveStatus, Status, from_json
from ota_agent.errors import AgentError

STATUS = Status(state="Downloading", deployment="d1", size=300, done=100, rate=2.5, window="22-5")


def test_a_status_comes_back_from_json() -> None:
    text = json.dumps(STATUS.to_json())

    assert json.loads(text)["percent"] == 33
    assert from_json(json.loads(text)) == STATUS


def test_the_status_of_an_older_or_newer_agent_is_understood() -> None:
    assert from_json({"state": "Trying", "mood": "good", "rate": 1}) == Status(
        state="Trying", rate=1.0
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "not an object"),
        ({"size": "9"}, "size"),
        ({"size": True}, "size"),
        ({"state": 1}, "state"),
    ],
)
def test_what_is_not_a_status_is_refused(found: object, says: str) -> None:
    with pytest.raises(AgentError, match=says):
        from_json(found)


@pytest.mark.parametrize(
    ("done", "size", "percent"), [(0, 0, 0), (5, 0, 0), (0, 9, 0), (299, 300, 99), (400, 300, 100)]
)
def test_percent_stays_between_its_bounds(done: int, size: int, percent: int) -> None:
    assert Status(done=done, size=size).percent == percent


def test_a_value_that_stays_is_not_a_change() -> None:
    live, heard = LiveStatus(STATUS), list[int]()
    end = live.listen(lambda: heard.append(live.read()[0]))

    live.change(state="Downloading", done=100)
    live.change(done=101)
    live.change(done=102)
    end()
    live.change(done=103)

    assert heard == [1, 2]
    assert live.read()[0] == 3


def test_changes_of_many_threads_are_all_counted() -> None:
    live = LiveStatus()

    def count(field: str) -> None:
        for number in range(200):
            live.change(**{field: number + 1})

    threads = [Thread(target=count, args=(field,)) for field in ("size", "done")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert live.read() == (400, Status(size=200, done=200))


@pytest.mark.parametrize("field", ["size", "done", "rate", "next_poll"])
@pytest.mark.parametrize("number", [10**400, 1 << 63, float("nan"), float("inf"), -1e300])
def test_a_number_that_cannot_be_is_refused(field: str, number: float) -> None:
    with pytest.raises(AgentError, match=field):
        from_json({field: number})
