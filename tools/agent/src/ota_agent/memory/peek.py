# SPDX-License-Identifier: Apache-2.0
"""The agent's memory: read-only access for other programs."""

import json
import stat
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Idle, State
from ota_agent.memory.record import PROVIDES, STATE, from_text

_PATIENCE = 10.0  # [s] the agent may be writing
_MAGIC, _VERSIONS, _WAL = b"SQLite format 3\0", slice(18, 20), 2
"""How a database begins, and what says that it has a log. Source: SQLite, file format, 1.3."""
_REPAIR = "restart the agent: it puts aside what it cannot read, and continues without it"
_MEDIUM = "see dmesg for errors of the medium"


class Unreadable(AgentError):
    """The agent's memory cannot be read.

    Attributes:
        place: its file.
        finding: what was seen.
        remedy: what to do.
    """

    def __init__(self, place: Path, finding: str, remedy: str) -> None:
        super().__init__(f"{place}: {finding}; {remedy}")
        self.place, self.finding, self.remedy = place, finding, remedy


@dataclass(frozen=True, slots=True)
class Memory:
    """What the agent's memory holds.

    Attributes:
        provides: what the device provides.
    """

    state: State
    provides: Mapping[str, str]


def peek(path: Path) -> Memory | None:
    """What is remembered in a file; None if it is not there, or nothing was ever written to it.

    Raises:
        Unreadable: it is damaged, or the user may not read it.
    """
    if not _is_used(path):
        return None
    kept = _kept(path)
    try:
        state = from_text(kept[STATE]) if STATE in kept else Idle()
        return Memory(state, dict(json.loads(kept.get(PROVIDES, "{}"))))
    except (AgentError, ValueError, TypeError) as error:
        raise Unreadable(path, f"is damaged ({error})", _REPAIR) from error


def _is_used(path: Path) -> bool:
    """Whether there is something in it, which SQLite reads without making files of its own.

    Raises:
        Unreadable: it is something else, or the user may not read it.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable(path, "is not a file", "remove it")
        with path.open("rb") as file:
            head = file.read(_VERSIONS.stop)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        why = error.strerror or str(error)
        remedy = "be root, as with sudo" if isinstance(error, PermissionError) else _MEDIUM
        raise Unreadable(path, why, remedy) from error
    if head.startswith(_MAGIC) and _WAL in head[_VERSIONS]:
        raise Unreadable(path, "has a write-ahead log, which the agent never makes", _REPAIR)
    return bool(head)


def _kept(path: Path) -> dict[str, str]:
    import sqlite3  # a device that was never updated does without

    try:
        try:
            return _read(path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            return _read_before_a_cut(path)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise Unreadable(path, "is being written", "try again") from error
        raise Unreadable(path, f"is damaged ({error})", _REPAIR) from error


def _read(path: Path, mode: str = "ro") -> dict[str, str]:
    import sqlite3

    address = f"file:{quote(str(path))}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as base:
        (found,) = base.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        return dict(base.execute("SELECT name, value FROM kept").fetchall())


def _read_before_a_cut(path: Path) -> dict[str, str]:
    """What was remembered before a write that was cut off: SQLite undoes that in a copy."""
    import shutil
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        return _read(copy, mode="rw")
