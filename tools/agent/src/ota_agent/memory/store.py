# SPDX-License-Identifier: Apache-2.0
"""What the agent remembers: the state of the update, and what the device provides.

One SQLite file. All that was written is on the disk when a call returns, and no power cut brings
back what was there before. docs/design/agent-states.md has what a save costs, and what else was
measured.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ota_agent.durable import put_aside, remove_folder
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor
from ota_agent.lifecycle.states import Idle, State
from ota_agent.memory import runs
from ota_agent.memory.record import (
    BOOT,
    ODD,
    PROVIDES,
    SLOTS,
    STATE,
    floor_in,
    from_text,
    kept_in,
    provided,
    to_text,
    versions_of,
)
from ota_agent.memory.runs import Slots

logger = logging.getLogger(__name__)

_TABLE = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
_CHANGE = (  # where it is; a row that is replaced would move, and its index would be written too
    "INSERT INTO kept (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_FLOOR = (  # made when it is first needed: a memory on a full disk opens without
    "CREATE TABLE IF NOT EXISTS floor (name TEXT NOT NULL, key TEXT NOT NULL,"
    " number INTEGER NOT NULL, PRIMARY KEY (name, key)) STRICT"
)
_VERSIONS = "part versions"
_OWN = "part "  # before the names of the parts' own values
_DIGITS = 15
_PATIENCE = 10.0  # [s] another process may be writing
_BESIDE = "-journal", "-wal", "-shm"  # files of SQLite's, by the ends of their names
_AROUND = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""What is wrong with the disk, or with another process; each other error is the file's."""


class _Strange(Exception):
    """What is in the file's place is not a memory."""


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
        self.path = path
        self._alone = Lock()
        self._assumed: dict[str, str] | None = None
        try:
            self._base, self._kept, self._floor = self._opened()
        except (sqlite3.Error, UnicodeDecodeError, _Strange) as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _AROUND:
                raise AgentError(f"{path}: {_finding(error)}") from error
            logger.warning("%s: is damaged (%s); it is put aside as .broken", path, error)
            self._base, self._kept, self._floor = self._made_again()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def load(self) -> Saved:
        """What was saved last; `Idle` if nothing was, or if it can no longer be read."""
        kept = self._kept
        try:
            state = from_text(kept[STATE]) if STATE in kept else Idle()
        except AgentError as error:
            logger.error("%s: %s; the update is forgotten", self.path, error)
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
        """What the device provides, ``artifact_name`` and ``artifact_group`` among it.

        Nothing, if the record is damaged: what the root filesystem says takes its place.
        """
        if self._assumed is not None:
            return dict(self._assumed)
        try:
            return provided(self._kept.get(PROVIDES, ""))
        except AgentError as error:
            logger.error("%s: %s; it is forgotten", self.path, error)
            return {}

    @property
    def slots(self) -> Slots | None:
        """What is remembered of the slots; None if nothing is."""
        return runs.from_text(self._kept.get(SLOTS, ""))

    @property
    def odd(self) -> str:
        """Why the device does not run what was committed last; empty if it does."""
        return self._kept.get(ODD, "")

    @property
    def floor(self) -> Floor:
        """The floor, as far as it was remembered here."""
        return self._floor

    @property
    def versions(self) -> dict[str, str]:
        """The versions that were committed last, by the provided key; no artifact clears them."""
        return versions_of(self._kept.get(_VERSIONS, ""))

    def save_provides(
        self,
        provides: Mapping[str, str],
        slots: Slots | None = None,
        *,
        odd: str = "",
        floor: Floor | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Remember what the device provides now, and what its slots are; all or nothing.

        Args:
            floor: None: it stays as it is, and so do the versions.

        Raises:
            AgentError: no space, or the disk fails.
        """
        known = {SLOTS: runs.to_text(slots)} if slots else {}
        if versions is not None:
            known[_VERSIONS] = json.dumps(dict(versions), sort_keys=True)
        text = json.dumps(dict(provides), sort_keys=True)
        self._write({PROVIDES: text, ODD: odd, **known}, floor)
        self._assumed = None

    def save_floor(self, floor: Floor) -> None:
        """Remember the floor.

        Raises:
            AgentError: no space, or the disk fails.
        """
        self._write({}, floor)

    def assume(self, provides: Mapping[str, str] | None) -> None:
        """Have the device provide something else until the agent ends; None: what is remembered."""
        self._assumed = None if provides is None else dict(provides)

    def text(self, name: str) -> str:
        """A small value of a part of the agent; empty if there is none."""
        return self._kept.get(_OWN + name, "")

    def put(self, name: str, text: str) -> None:
        """Remember a small value of a part of the agent; an empty one is none.

        Raises:
            AgentError: no space, or the disk fails.
        """
        self._write({_OWN + name: text})

    def forget_slot(self, name: str) -> None:
        """Forget what a slot was, since it is overwritten.

        Raises:
            AgentError: no space, or the disk fails.
        """
        slots = self.slots
        if slots is not None and name in slots.known:
            self._write({SLOTS: runs.to_text(runs.without(slots, name))})

    def number(self, name: str) -> int:
        """A small value that is a number; 0 if there is none, or if it is damaged."""
        text = self.text(name)
        if text.isascii() and text.isdecimal():
            return int(text[:_DIGITS])
        if text:
            logger.error("%s: %s is %r, not a number; 0 is taken", self.path, name, text[:80])
        return 0

    def _made_again(self) -> tuple[sqlite3.Connection, dict[str, str], Floor]:
        """Put aside what is there, and begin empty.

        Raises:
            AgentError: that cannot be.
        """
        path = self.path
        try:
            put_aside(path)
            for suffix in _BESIDE:
                remove_folder(path.with_name(f"{path.name}{suffix}"))
            return self._opened()
        except (sqlite3.Error, OSError) as error:
            why = _finding(error) if isinstance(error, sqlite3.Error) else error.strerror
            raise AgentError(f"{path}: {why}") from error

    def _opened(self) -> tuple[sqlite3.Connection, dict[str, str], Floor]:
        """The file, and what is in it.

        Raises:
            sqlite3.Error, UnicodeDecodeError: it is damaged, or cannot be opened or made.
            _Strange: something else is in its place.
        """
        if os.path.lexists(self.path) and not self.path.is_file():
            raise _Strange("it is not a file")
        for each in (self.path.with_name(f"{self.path.name}{suffix}") for suffix in _BESIDE):
            if os.path.lexists(each) and not each.is_file():
                logger.warning("%s: is not a file; it is removed", each)
                with suppress(OSError):
                    remove_folder(each)
        if not self.path.exists():
            with suppress(OSError):
                self.path.touch(0o600)  # addresses in it may be signed
        base = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            # The journal's header is overwritten and synced at the end of a save. A journal that is
            # deleted there can come back with a power cut, and would undo the save. It stays open,
            # too: to open it again makes SQLite sync the folder, and so ext4's journal.
            base.execute("PRAGMA locking_mode=EXCLUSIVE")
            base.execute("PRAGMA synchronous=EXTRA")
            base.execute("PRAGMA journal_mode=PERSIST")
            base.execute(_TABLE)
            (found,) = base.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise _Strange(found)
            base.execute(f"EXPLAIN {_CHANGE}", ("", "")).close()  # whether it can be written
            return base, kept_in(base), floor_in(base)
        except BaseException:
            base.close()
            raise

    def _write(self, values: Mapping[str, str], floor: Floor | None = None) -> None:
        with self._alone:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                self._base.executemany(_CHANGE, values.items())
                if floor is not None and floor != self._floor:
                    self._put_floor(floor)
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                with suppress(sqlite3.Error):
                    self._kept = kept_in(self._base)
                raise AgentError(f"{self.path}: {_finding(error)}") from error
            self._kept = {**self._kept, **values}
            self._floor = self._floor if floor is None else floor

    def _put_floor(self, floor: Floor) -> None:
        self._base.execute(_FLOOR)
        self._base.execute("DELETE FROM floor")
        rows = ((name, key, number) for (name, key), number in floor.numbers.items())
        self._base.executemany("INSERT INTO floor (name, key, number) VALUES (?, ?, ?)", rows)


def _finding(error: BaseException) -> str:
    """What is wrong, and what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY:
            return "is open in another process; end that"
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_IOERR:
            return f"{error}; make room on its filesystem, or see dmesg: it may be read-only now"
    return f"{error}; is its folder there, and writable?"
