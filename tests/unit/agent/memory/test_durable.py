# SPDX-License-Identifier: Apache-2.0
"""What was saved is there after a power cut at any moment, whatever the cut makes of a block."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.lifecycle.states import Idle, Trying
from ota_agent.memory.store import Store
from tests.conftest import requires_program
from tests.unit.agent.memory.flash import Call, Flash, Said, Write, put, traced

SAVES = 4
_SAVER = """\
import os, sys
from pathlib import Path
from ota_agent.address import Address
from ota_agent.lifecycle.states import Trying
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store

store = Store(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    store.save(Trying(Update(source=Address("u" * 900), reboots=number)), "boot")
    os.write(2, f"{number}\\n".encode())
store.close()
"""
"""Saves states, and says which one as soon as it is saved."""

_OLD_AGENT = """\
import os, sqlite3, sys

base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("PRAGMA journal_mode=DELETE")
base.execute("PRAGMA synchronous=FULL")
base.execute("CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
text = '{"format": 1, "state": "Trying", "update": {"source": "u", "restarts": %d}}'
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    base.execute("BEGIN IMMEDIATE")
    base.execute("INSERT OR REPLACE INTO kept VALUES ('state', ?)", (text % number,))
    base.execute("COMMIT")
    os.write(2, f"{number}\\n".encode())
base.close()
"""
"""How the agent of version 0.1 saved them."""


def calls_of(program: str, data: Path, first: int, last: int) -> list[Call]:
    words = (sys.executable, "-c", program, str(data / "state.db"), str(first), str(last))
    return traced(words, data, data.parent / "trace")


def saved(folder: Path) -> int:
    """The state that is remembered; -1: none."""
    store = Store(folder / "state.db")
    state = store.load().state
    store.close()
    assert not (folder / "state.db.broken").exists()
    if isinstance(state, Idle):
        return -1
    assert isinstance(state, Trying)
    return state.update.reboots


def lost(calls: list[Call], data: Path, place: Path, *, garbles: bool) -> list[str]:
    """The cuts after which an older state is remembered than the one that was saved last."""
    found: list[str] = []
    flash, last = Flash(), -1
    for number, call in enumerate(calls):
        for files in _after(flash, call, garbles=garbles):
            put(files, data, place)
            if not last <= saved(place) <= last + 1:
                found.append(f"at {number}, {type(call).__name__}: not {last}")
        if isinstance(call, Said):
            last = int(call.text)
        flash.take(call)
    return found


def _after(flash: Flash, call: Call, *, garbles: bool) -> Iterator[dict[str, bytes]]:
    yield flash.after_a_cut()
    if garbles and isinstance(call, Write):
        yield from flash.with_garbled(call)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "after"
    folder.mkdir()
    return folder


@requires_program("strace", package="strace")
def test_what_was_saved_is_there_after_a_cut_at_any_moment(data: Path, place: Path) -> None:
    calls = calls_of(_SAVER, data, 0, SAVES)

    assert sum(isinstance(each, Said) for each in calls) == SAVES
    assert lost(calls, data, place, garbles=False) == []


@requires_program("strace", package="strace")
def test_a_cut_that_garbles_the_block_in_flight_loses_nothing_either(
    data: Path, place: Path
) -> None:
    calls = calls_of(_SAVER, data, 0, 1)  # the file is made
    begun = len(calls)
    calls += calls_of(_SAVER, data, 1, SAVES)

    flash = Flash()
    for call in calls[:begun]:
        flash.take(call)
    found = lost(calls, data, place, garbles=True)
    assert [each for each in found if int(each.split()[1].rstrip(",")) > begun] == []


@requires_program("strace", package="strace")
def test_the_model_sees_that_a_deleted_journal_comes_back(data: Path, place: Path) -> None:
    """The agent of version 0.1 has this fault."""
    calls = calls_of(_OLD_AGENT, data, 0, SAVES)

    assert lost(calls, data, place, garbles=False)


@requires_program("strace", package="strace")
def test_the_memory_of_an_old_agent_is_taken_over_and_given_back(data: Path, place: Path) -> None:
    """The old slot has the old agent, which reads it after a rollback."""
    calls_of(_OLD_AGENT, data, 0, 2)

    assert saved(data) == 1
    calls_of(_SAVER, data, 2, 4)
    calls_of(_OLD_AGENT.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"), data, 4, 6)

    assert saved(data) == 5
