# SPDX-License-Identifier: Apache-2.0
"""What the agent remembers: the state of the update, and what the device provides.

One SQLite file. All that was written is on the disk when a call returns (synchronous=FULL, and the
rollback journal, which needs no second file to be right after a power cut).
"""

import json
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Idle, State
from ota_agent.memory.record import BOOT, PROVIDES, STATE, from_text, to_text

logger = logging.getLogger(__name__)

_TABLE = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
_OWN = "part "  # before the names of the parts' own values
_PATIENCE = 10.0  # [s] another process may be writing


@dataclass(frozen=True, slots=True)
class Saved:
    """The state, and the boot in which it was written.

    Attributes:
        boot: the kernel's boot id; empty if nothing was written yet.
    """

    state: State
    boot: str


class Store:
    """The agent's memory in a file, read once: nobody else may write it while this is open.

    A file that is damaged is put aside as ``<name>.broken``, and the memory begins empty: the
    bootloader's state is what the device stands on, not this. Several threads may use it.

    Raises:
        AgentError: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._alone = Lock()
        self._kept: dict[str, str] = {}
        try:
            self._base = self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise AgentError(f"{path}: {error}; is its folder there, and writable?") from error
            logger.warning("%s: is damaged (%s); it is put aside as .broken", path, error)
            path.replace(path.with_name(f"{path.name}.broken"))
            with suppress(OSError):
                path.with_name(f"{path.name}-journal").unlink()
            self._base = self._opened()
        self._kept = self._read()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def load(self) -> Saved:
        """What was saved last; `Idle` if nothing was, or if it can no longer be read."""
        kept = self._kept
        try:
            state = from_text(kept[STATE]) if STATE in kept else Idle()
        except AgentError as error:
            logger.error("%s: %s; the update is forgotten", self._path, error)
            state = Idle()
        return Saved(state, kept.get(BOOT, ""))

    def save(self, state: State, boot: str) -> None:
        """Remember a state; it is on the disk afterwards.

        Args:
            boot: the kernel's boot id.

        Raises:
            AgentError: no space, or the disk fails.
        """
        self._write({STATE: to_text(state), BOOT: boot})

    @property
    def provides(self) -> dict[str, str]:
        """What the device provides, ``artifact_name`` and ``artifact_group`` among it."""
        text = self._kept.get(PROVIDES)
        found: dict[str, str] = json.loads(text) if text else {}
        return found

    def save_provides(self, provides: Mapping[str, str]) -> None:
        """Remember what the device provides now.

        Raises:
            AgentError: no space, or the disk fails.
        """
        self._write({PROVIDES: json.dumps(dict(provides), sort_keys=True)})

    def text(self, name: str) -> str:
        """A small value of a part of the agent; empty if there is none."""
        return self._kept.get(_OWN + name, "")

    def put(self, name: str, text: str) -> None:
        """Remember a small value of a part of the agent; an empty one is none.

        Raises:
            AgentError: no space, or the disk fails.
        """
        self._write({_OWN + name: text})

    def _opened(self) -> sqlite3.Connection:
        if not self._path.exists():
            with suppress(OSError):
                self._path.touch(0o600)  # addresses in it may be signed
        base = sqlite3.connect(
            self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            base.execute("PRAGMA journal_mode=DELETE")
            base.execute("PRAGMA synchronous=FULL")
            base.execute(_TABLE)
            (found,) = base.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        except BaseException:
            base.close()
            raise
        return base

    def _read(self) -> dict[str, str]:
        return dict(self._base.execute("SELECT name, value FROM kept").fetchall())

    def _write(self, values: Mapping[str, str]) -> None:
        with self._alone:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                self._base.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", values.items())
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                with suppress(sqlite3.Error):
                    self._kept = self._read()
                raise AgentError(f"{self._path}: {error}; make room on its filesystem") from error
            self._kept = {**self._kept, **values}
