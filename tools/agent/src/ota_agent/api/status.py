# SPDX-License-Identifier: Apache-2.0
"""What the agent is doing: one value, and the place where all threads read it."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from ota_agent import __version__
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Installed, UnderWay

_MOST = {bool: 2, int: 1 << 63, float: 1e11}
"""Beyond it, a size is not one of a file, and a time is in no calendar."""

Result = Literal["", "success", "failure"]
"""How the last update ended; empty: there was none since the agent started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the agent is doing, and what it did last.

    Attributes:
        state: the name of a class of states.py, such as Downloading.
        doing: the part of it that runs now, such as the state script ArtifactInstall_Enter_00.
        deployment: the server's name for the update; empty if a user of the device asked for it.
        source: of the artifact: a URL without login and query, or a path; empty without an update.
        artifact: name of the artifact that is installed; empty until its header was read.
        installed: name of the artifact that the device runs, committed.
        slot: the slot that is written, A or B; empty if none is.
        running_slot: the slot that runs, A or B; empty if the root filesystem is in none.
        size: of the artifact [B]; 0 if not known.
        done: of it, read so far [B].
        rate: how fast it is read now [B/s].
        note: how it went so far, such as "resumed at 12 MB".
        waits_for: the state before which it is paused, such as ArtifactReboot; else empty.
        paused_by: who or what has it wait: "device", "server", "window", "disabled"; else empty.
        next_poll: when the server is asked next [s since the epoch]; 0: it is not.
        result: how the last update ended.
        reason: why it failed; empty if it did not.
        is_consistent: false if the last update failed and could not be rolled back completely.
        updates: how many updates have ended since the agent started.
        wants_reboot: the update continues, forward or back, once the device has rebooted.
        is_authorized: whether the server has given this device a token.
        tokens: how often that has changed, with a token or without one.
        is_enabled: whether the server is asked for updates.
        window: when updates may be installed, such as "Mon-Fri 22:00-05:00"; empty: always.
        floor: security versions below which nothing is installed, such as "rootfs-image 5 of key
            1a2b3c4d"; empty: there are none.
        bootloader: which one started this boot, as a sentence continues, such as "is U-Boot
            2025.01, with boot logic 1"; empty: it is not known.
        data: what happened to /data at this boot, as a sentence; empty if nothing happened to it.
        warning: what is not as it should be, such as a configuration that was passed over, or a
            release that runs though another one was committed; empty: nothing.
        version: of the agent.
    """

    state: str = "Idle"
    doing: str = ""
    deployment: str = ""
    source: str = ""
    artifact: str = ""
    installed: str = ""
    slot: str = ""
    running_slot: str = ""
    size: int = 0
    done: int = 0
    rate: float = 0.0
    note: str = ""
    waits_for: str = ""
    paused_by: str = ""
    next_poll: float = 0.0
    result: Result = ""
    reason: str = ""
    is_consistent: bool = True
    updates: int = 0
    wants_reboot: bool = False
    is_authorized: bool = False
    tokens: int = 0
    is_enabled: bool = True
    window: str = ""
    floor: str = ""
    bootloader: str = ""
    data: str = ""
    warning: str = ""
    version: str = __version__

    @property
    def percent(self) -> int:
        """How much of the artifact is read [%]; 0 if its size is not known."""
        return min(100, self.done * 100 // self.size) if self.size > 0 else 0

    def to_json(self) -> dict[str, Any]:
        """Its attributes and ``percent``, for `json.dumps`."""
        return {**dataclasses.asdict(self), "percent": self.percent}


def of_update(state: UnderWay) -> dict[str, Any]:
    """The attributes that say which update is under way, and whether it waits for a reboot."""
    update = state.update
    return {
        "deployment": update.deployment,
        "source": str(update.source),
        "artifact": update.artifact.name if update.artifact else "",
        "slot": update.target,
        "reason": update.reason,
        "wants_reboot": isinstance(state, Installed) and update.is_rebooting,
    }


def from_json(found: object) -> Status:
    """The status that another agent, older or newer, has sent.

    Unknown keys are left out; missing ones have their default.

    Raises:
        AgentError: it is not a status.
    """
    if not isinstance(found, dict):
        raise AgentError(f"the agent's status is {json.dumps(found)[:80]}, not an object")
    known: dict[str, Any] = {}
    for field in dataclasses.fields(Status):
        value = found.get(field.name, field.default)
        kind = type(field.default)
        if isinstance(value, int | float) and not abs(value) < _MOST[type(value)]:
            raise AgentError(f"the agent's status has a {field.name} that cannot be")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise AgentError(
                f"the agent's status has {field.name} = {json.dumps(value)[:80]}, which is not of"
                f" type {kind.__name__}; do the agent and this command have the same version?"
            )
        known[field.name] = value
    return Status(**known)


class LiveStatus:
    """Holds the status: any thread may change it, read it, or hear of changes."""

    def __init__(self, status: Status = Status()) -> None:
        self._status, self._number = status, 0
        self._lock = Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()

    def get(self) -> Status:
        """The status now."""
        return self._status

    def read(self) -> tuple[int, Status]:
        """How many changes there were, and the status after the last of them."""
        with self._lock:
            return self._number, self._status

    def change(self, **changes: Any) -> Status:
        """Change some attributes of the status; gives what it is then."""
        with self._lock:
            status = self._status
            if all(getattr(status, name) == value for name, value in changes.items()):
                return status
            status = dataclasses.replace(status, **changes)
            self._status, self._number = status, self._number + 1
            listeners = self._listeners
        for tell in listeners:
            tell()
        return status

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have a function called after each change; gives the function that ends it.

        It is called in the thread that made the change, and must not block or raise.
        """
        with self._lock:
            self._listeners = (*self._listeners, tell)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not tell)

        return end
