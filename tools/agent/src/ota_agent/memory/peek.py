# SPDX-License-Identifier: Apache-2.0
"""The agent's memory: read-only access for other programs."""

import errno
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor
from ota_agent.lifecycle.states import Idle, State
from ota_agent.memory import runs
from ota_agent.memory.record import (
    PROVIDES,
    SLOTS,
    STATE,
    TIME,
    floor_in,
    from_text,
    kept_in,
    provided,
)
from ota_agent.memory.runs import Slots
from ota_agent.small_file import read_small

if TYPE_CHECKING:
    import sqlite3

_PATIENCE = 10.0  # [s] the agent may be writing
_MAGIC, _VERSIONS, _WAL = b"SQLite format 3\0", slice(18, 20), 2
"""How a database begins, and what says that it has a log. Source: SQLite, file format, 1.3."""
_REPAIR = "restart the agent: it puts aside what it cannot read, and continues without it"
_MOST = 1 << 24  # [B] of a file that has a few KiB
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the agent's memory holds.

    Attributes:
        provides: what the device provides.
        slots: what its slots were when they were committed; None if that is not remembered.
        floor: as far as it is remembered here.
        time: the latest that is known to have been [s since 1970]; may be damaged.
    """

    state: State
    provides: Mapping[str, str]
    slots: Slots | None = None
    floor: Floor = field(default_factory=Floor)
    time: str = ""


def peek(path: Path) -> Memory | None:
    """What is remembered in a file; None if it is not there, or nothing was ever written to it.

    Nothing is locked, and no file is made: the running agent has the file for itself, and the
    filesystem may be read-only.

    Raises:
        Unreadable: it is damaged, or the user may not read it.
    """
    base, journal = _snapshot(path)
    if not base:
        return None
    kept, floor = _kept(path, base, journal)
    try:
        state = from_text(kept[STATE]) if STATE in kept else Idle()
        slots = runs.from_text(kept.get(SLOTS, ""))
        provides, time_ = provided(kept.get(PROVIDES, "")), kept.get(TIME, "")
        return Memory(state=state, provides=provides, slots=slots, floor=floor, time=time_)
    except AgentError as error:
        raise Unreadable(path, f"is damaged ({error})", _REPAIR) from error


def _snapshot(path: Path) -> tuple[bytes, bytes]:
    """The file and its journal as they were at one moment: two readings are the same.

    Raises:
        Unreadable: it is something else, the user may not read it, or it changes all the time.
    """
    end, last = time.monotonic() + _PATIENCE, None
    while True:
        found = _content(path), _content(path.with_name(f"{path.name}-journal"))
        if found == last:
            return found
        if time.monotonic() > end:
            raise Unreadable(path, "is being written", "try again")
        last = found


def _content(path: Path) -> bytes:
    """All of a file; nothing if it is not there.

    Raises:
        Unreadable: it is not a file, or the user may not read it.
    """
    try:
        data = read_small(path, _MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        why = error.strerror or str(error)
        match error:
            case PermissionError():
                remedy = "be root, as with sudo"
            case OSError(errno=errno.EINVAL | errno.EISDIR | errno.ELOOP):
                remedy = _REPAIR
            case _:
                remedy = _MEDIUM
        raise Unreadable(path, why, remedy) from error
    if len(data) > _MOST:
        raise Unreadable(path, f"is longer than {_MOST} B", _REPAIR)
    return data


def _kept(path: Path, base: bytes, journal: bytes) -> tuple[dict[str, str], Floor]:
    import sqlite3  # a device that was never updated does without

    if base.startswith(_MAGIC) and _WAL in base[_VERSIONS]:
        raise Unreadable(path, "has a write-ahead log, which the agent never makes", _REPAIR)
    try:
        if journal.strip(b"\0"):
            return _read_before_a_cut(base, journal)
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(base)
            return _read(copy)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Unreadable(path, f"is damaged ({error})", _REPAIR) from error


def _read(base: "sqlite3.Connection") -> tuple[dict[str, str], Floor]:
    import sqlite3

    (found,) = base.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    return kept_in(base), floor_in(base)


def _read_before_a_cut(base: bytes, journal: bytes) -> tuple[dict[str, str], Floor]:
    """What was remembered before a write that was cut off: SQLite undoes that in a copy."""
    import sqlite3
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        copy = Path(folder) / "state.db"
        copy.write_bytes(base)
        copy.with_name("state.db-journal").write_bytes(journal)
        with closing(sqlite3.connect(copy)) as opened:
            return _read(opened)
