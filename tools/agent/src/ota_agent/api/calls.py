# SPDX-License-Identifier: Apache-2.0
"""Every call of the device API, in one table: the socket, D-Bus and the commands read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NewType

from ota_agent.lifecycle.actions import PausePoint

Lines = NewType("Lines", str)
"""A text that may have many lines; every other one has to fit into one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: a request names it, and the method of that name carries it out.

    Attributes:
        who: may send it: members of the group and root, or only root.
        takes: the type of each argument by its name; all have to be there.
        method: carries it out, if it has another name.
        guest: carries it out for users other than root, if that is less; such a method writes
            nothing to the disk.
        is_reading: it changes nothing, and is not logged.
    """

    name: str
    who: Literal["group", "root"]
    takes: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    guest: str = ""
    is_reading: bool = False


CALLS: Mapping[str, Call] = {
    each.name: each
    for each in (
        Call(name="status", who="group", is_reading=True),
        Call(name="watch", who="group", is_reading=True),
        Call(name="pause", who="group", takes={"before": PausePoint}, guest="hold"),
        Call(name="continue", who="group", method="go_on", guest="release"),
        Call(name="abort", who="group", takes={"reason": str}, guest="refuse"),
        Call(name="set_enabled", who="root", takes={"enabled": bool}),
        Call(name="set_window", who="root", takes={"window": str}),
        Call(name="set_control_map", who="root", takes={"map": Lines}),
        Call(name="install", who="root", takes={"source": str}),
        Call(name="commit", who="root"),
        Call(name="rollback", who="root", takes={"reason": str}),
        Call(name="resume", who="root"),
        Call(name="check_update", who="root"),
        Call(name="send_inventory", who="root"),
        Call(name="token", who="root", is_reading=True),
        Call(name="fetch_token", who="root"),
    )
}
"""All of them, by name; nothing else can be called."""
