# SPDX-License-Identifier: Apache-2.0
"""What every test of the agent leaves behind is closed."""

import sqlite3
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _closed_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the databases that a test opened, as the end of a process does.

    From Python 3.13 on one that is left open is a warning, in whichever test runs by then.
    """
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remember(*args: object, **options: object) -> sqlite3.Connection:
        opened.append(connect(*args, **options))  # type: ignore[call-overload]
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remember)
    yield
    for base in opened:
        base.close()
