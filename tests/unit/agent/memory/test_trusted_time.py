# SPDX-License-Identifier: Apache-2.0
"""The latest time that is known to have been."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ota_agent.memory.store import Store
from ota_agent.memory.trusted_time import note_time, time_in, trusted_time

DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "state.db")) as found:
        yield found


def test_it_only_moves_forward(store: Store) -> None:
    note_time(store, NOW, now=lambda: NOW)
    note_time(store, NOW - 30 * DAY, now=lambda: NOW - 30 * DAY)

    assert trusted_time(store) == NOW


@pytest.mark.parametrize(
    ("said", "clock"), [(NOW + 9999 * DAY, NOW), (NOW, NOW + 9999 * DAY)], ids=["server", "clock"]
)
def test_neither_a_server_nor_the_clock_alone_moves_it_into_the_future(
    store: Store, said: float, clock: float
) -> None:
    note_time(store, said, now=lambda: clock)

    assert trusted_time(store) == NOW


def test_it_is_written_once_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(store, "put", lambda name, text: written.append(text))

    note_time(store, 100.0, now=lambda: NOW)
    note_time(store, DAY, now=lambda: NOW)

    assert written == [str(int(DAY))]


@pytest.mark.parametrize("text", ["", "-1", "soon", "9" * 15, "9" * 5000])
def test_a_damaged_one_is_none(store: Store, text: str) -> None:
    store.put("time", text)

    assert trusted_time(store) == time_in(text) == 0
