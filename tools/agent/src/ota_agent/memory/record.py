# SPDX-License-Identifier: Apache-2.0
"""A state as text that outlives the agent, and the agent's version.

A trial system may have written it, and the old system reads it after a rollback: what it does not
know it leaves out, and a state that it does not know is one that has failed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, get_args

from ota_agent.address import Address
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor, from_variable
from ota_agent.lifecycle.states import Erring, Idle, State, Syncing, UnderWay
from ota_agent.lifecycle.update import Artifact, Update
from ota_artifact.json_text import parse_any

if TYPE_CHECKING:
    import sqlite3

STATE, BOOT, PROVIDES = "state", "boot", "provides"
"""What the store calls the record, the boot in which it was written, and what is provided."""

SLOTS, ODD = "part slots", "part odd"
"""What the slots were when they were committed, and why the device does not run the last one."""

TIME = "part time"
"""The latest time that is known to have been."""

FORMAT = 1
"""Of the record; a newer one is read as far as it is understood."""

_WRITTEN = {"RebootingBack": "RestartingBack", "reboots": "restarts"}
"""Names that the record has for classes and fields which were renamed: agents of any version read
it, the old slot's after a rollback as well."""


def _written(name: str) -> str:
    return _WRITTEN.get(name, name)


_STATES: Mapping[str, type[State]] = {_written(each.__name__): each for each in get_args(State)}


def to_text(state: State) -> str:
    """The state in one line of JSON, with all of its address: a download continues there."""
    record = {"format": FORMAT, "state": _written(type(state).__name__), **asdict(state)}
    if isinstance(state, UnderWay):
        record["update"] = {_written(name): value for name, value in record["update"].items()}
    return json.dumps(record, default=_full)


def from_text(text: str) -> State:
    """The state that was written.

    Raises:
        AgentError: it is not a record of a state.
    """
    try:
        record: dict[str, Any] = parse_any(text)
        name = record["state"]
        if name in (Idle.__name__, Syncing.__name__):
            return _STATES[name]()  # type: ignore[call-arg]
        update = _update(record["update"])
        kind = _STATES.get(name)
        if kind is None:
            return Erring(update, "")
        if kind is Erring:
            return Erring(update, record["at"])
        return kind(update)  # type: ignore[call-arg]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AgentError(f"the record of the update is damaged: {error!r}") from error


def kept_in(base: "sqlite3.Connection") -> dict[str, str]:
    """All names and values of the memory; one that a bad block has garbled costs no other one.

    Raises:
        sqlite3.Error: it is damaged.
    """
    base.text_factory = lambda data: data.decode("utf-8", "replace")
    rows = base.execute("SELECT name, value FROM kept").fetchall()
    return {name: value for name, value in rows if isinstance(name, str) and isinstance(value, str)}


def floor_in(base: "sqlite3.Connection") -> Floor:
    """The floor; nothing if an older agent has made the memory. A damaged row is left out.

    Raises:
        sqlite3.Error: it is damaged.
    """
    if base.execute("SELECT 1 FROM sqlite_schema WHERE name = 'floor'").fetchone() is None:
        return Floor()
    rows = base.execute("SELECT name, key, number FROM floor").fetchall()
    return from_variable(" ".join(f"{name}:{key}:{number}" for name, key, number in rows))


def versions_of(text: str) -> dict[str, str]:
    """The versions that were committed last; nothing for what is damaged."""
    try:
        found = parse_any(text) if text else {}
    except ValueError:
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: each for key, each in pairs if isinstance(each, str)}


def provided(text: str) -> dict[str, str]:
    """What the device provides, as it was written; nothing for an empty text.

    Raises:
        AgentError: it is not a record of that.
    """
    try:
        found = parse_any(text) if text else {}
    except ValueError as error:
        raise AgentError(f"the record of what is provided is damaged: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise AgentError(f"the record of what is provided is damaged: it is {text[:80]!r}")
    return found


def _update(record: Mapping[str, Any]) -> Update:
    source, artifact = record["source"], record.get("artifact")
    if not isinstance(source, str):
        raise TypeError("its source is not a text")
    names = _names(Update)
    known = {name: record[_written(name)] for name in names if _written(name) in record}
    known["source"] = Address(source)
    known["artifact"] = _artifact(artifact) if artifact else None
    return Update(**known)


def _artifact(record: Mapping[str, Any]) -> Artifact:
    known = {name: record[name] for name in _names(Artifact) & record.keys()}
    clears = known.get("clears")
    known["types"] = tuple(known.get("types", ()))
    known["clears"] = None if clears is None else tuple(clears)
    return Artifact(**known)


def _full(value: object) -> str:
    """What `json` does not know by itself."""
    if isinstance(value, Address):
        return value.full
    raise TypeError(f"a record holds no {type(value).__name__}")


def _names(kind: type[Update | Artifact]) -> set[str]:
    return {each.name for each in fields(kind)}
