# SPDX-License-Identifier: Apache-2.0
"""The status as a value and as JSON, and who hears of a change."""

import json
from threading import Thread

import pytest

from ota_agent.api.status import Bulletin, Status, from_json
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
    [([], "no object"), ({"size": "9"}, "size"), ({"size": True}, "size"), ({"state": 1}, "state")],
)
def test_what_is_no_status_is_refused(found: object, says: str) -> None:
    with pytest.raises(AgentError, match=says):
        from_json(found)


@pytest.mark.parametrize(
    ("done", "size", "percent"), [(0, 0, 0), (5, 0, 0), (0, 9, 0), (299, 300, 99), (400, 300, 100)]
)
def test_percent_stays_between_its_bounds(done: int, size: int, percent: int) -> None:
    assert Status(done=done, size=size).percent == percent


def test_a_waiting_thread_hears_of_a_change() -> None:
    bulletin = Bulletin()
    seen: list[tuple[int, Status]] = []
    waiting = Thread(target=lambda: seen.append(bulletin.wait_for_change(0, 10)))
    waiting.start()

    bulletin.change(state="Syncing")
    waiting.join(10)

    assert seen == [(1, Status(state="Syncing"))]
    assert bulletin.get() == Status(state="Syncing")


def test_waiting_ends_without_a_change() -> None:
    bulletin = Bulletin(STATUS)

    assert bulletin.wait_for_change(0, 0.01) == (0, STATUS)


def test_what_is_as_before_is_no_change() -> None:
    bulletin, heard = Bulletin(STATUS), list[int]()
    end = bulletin.listen(lambda: heard.append(bulletin.read()[0]))

    bulletin.change(state="Downloading", done=100)
    bulletin.change(done=101)
    bulletin.change(done=102)
    end()
    bulletin.change(done=103)

    assert heard == [1, 2]
    assert bulletin.read()[0] == 3


def test_changes_of_many_threads_are_all_counted() -> None:
    bulletin = Bulletin()

    def count(field: str) -> None:
        for number in range(200):
            bulletin.change(**{field: number + 1})

    threads = [Thread(target=count, args=(field,)) for field in ("size", "done")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert bulletin.read() == (400, Status(size=200, done=200))
