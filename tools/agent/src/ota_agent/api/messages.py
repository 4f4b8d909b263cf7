# SPDX-License-Identifier: Apache-2.0
"""What goes over the socket: one JSON object in a line, either way.

A request is ``{"call": "pause", "before": "ArtifactReboot"}``. Its answer is ``{"result": …}`` or
``{"error": {"kind": …, "text": …}}``; answers come in the order of the requests. After ``watch``
there are lines ``{"status": …}`` between them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ota_agent.api.status import Status
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import PausePoint

LONGEST = 64 * 1024
"""A line with its end [B]."""

_LONGEST_TEXT = 4096  # characters: Linux takes no longer path

HEARTBEAT = 30.0
"""A watcher gets a line at least this often [s]: who is gone is noticed, on either side."""

Kind = Literal["invalid", "refused", "impossible", "busy", "bug"]
"""Of an error: the request is wrong; the caller may not; it cannot be; later; our fault."""

Who = Literal["group", "root"]
"""Who may send a request: members of the group and root, or root alone."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a request looks like.

    Attributes:
        who: may send it.
        arguments: their types by name; all have to be there.
    """

    who: Who
    arguments: Mapping[str, type] = field(default_factory=dict)


SHAPES: Mapping[str, Shape] = {
    "status": Shape("group"),
    "watch": Shape("group"),
    "pause": Shape("group", {"before": str}),
    "continue": Shape("group"),
    "abort": Shape("group", {"reason": str}),
    "set_enabled": Shape("group", {"enabled": bool}),
    "set_window": Shape("root", {"window": str}),
    "set_control_map": Shape("root", {"map": str}),
    "install": Shape("root", {"source": str}),
    "commit": Shape("root"),
    "rollback": Shape("root", {"reason": str}),
    "resume": Shape("root"),
    "check_update": Shape("root"),
    "send_inventory": Shape("root"),
    "token": Shape("root"),
    "fetch_token": Shape("root"),
}
"""All requests."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its arguments those of its shape.

    Attributes:
        call: a key of SHAPES.
    """

    call: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Wrong(AgentError):
    """A request is answered with an error.

    Attributes:
        kind: of the error.
    """

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind: Kind = kind


def parse_request(line: bytes) -> Request:
    """The request in a line.

    Raises:
        Wrong: there is none in it.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the line is no JSON ({error}); send one object in a line") from error
    if not isinstance(found, dict) or not isinstance(found.get("call"), str):
        raise _invalid('the line is no request; send one such as {"call": "status"}')
    call = found.pop("call")
    shape = SHAPES.get(call)
    if shape is None:
        raise _invalid(f"there is no call {_short(call)}; there are {', '.join(SHAPES)}")
    if unknown := found.keys() - shape.arguments.keys():
        raise _invalid(f"{call}: has no argument {_short(min(unknown))}")
    for name, kind in shape.arguments.items():
        if type(found.get(name)) is not kind:
            what = {str: "text", bool: "true or false"}[kind]
            raise _invalid(f"{call}: wants the argument {name}, {what}")
        if kind is str:
            _check_text(call, name, found[name])
    if call == "pause" and found["before"] not in get_args(PausePoint):
        raise _invalid(f"pause: before is not one of {', '.join(get_args(PausePoint))}")
    return Request(call, found)


def request_line(call: str, arguments: Mapping[str, Any]) -> bytes:
    """A request, as it is sent."""
    return _line({"call": call, **arguments})


def result_line(result: object) -> bytes:
    """The answer to a request that was carried out."""
    return _line({"result": result})


def error_line(kind: Kind, text: str) -> bytes:
    """The answer to a request that was not."""
    return _line({"error": {"kind": kind, "text": text}})


def status_line(status: Status) -> bytes:
    """What a watcher gets."""
    return _line({"status": status.to_json()})


def parse_answer(line: bytes) -> Mapping[str, Any]:
    """What the agent has sent: an object with ``result`` or ``status``.

    Raises:
        Wrong: it is an error.
        AgentError: it is neither.
    """
    try:
        found = json.loads(line)
    except ValueError as error:
        raise AgentError(f"the agent has sent {line[:80]!r}, which is no JSON") from error
    match found:
        case {"error": {"kind": str(kind), "text": str(text)}}:
            raise Wrong(kind if kind in get_args(Kind) else "bug", text)  # type: ignore[arg-type]
        case {"result": _} | {"status": _}:
            return dict(found)
        case _:
            raise AgentError(f"the agent has sent {line[:80]!r}; is it of this version?")


def _check_text(call: str, name: str, text: str) -> None:
    """A map is a text of many lines; every other one is shown in one line.

    Raises:
        Wrong: it cannot be.
    """
    if name == "map":
        is_right = not any("\ud800" <= each <= "\udfff" for each in text)
    else:
        is_right = text.isprintable() and len(text) <= _LONGEST_TEXT
    if not is_right:
        raise _invalid(f"{call}: {name} is no text of one line and {_LONGEST_TEXT} characters")


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _invalid(text: str) -> Wrong:
    return Wrong("invalid", text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
