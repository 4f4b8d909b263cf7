# SPDX-License-Identifier: Apache-2.0
"""What goes over the socket: one JSON object in a line, either way.

A request is ``{"call": "pause", "before": "ArtifactReboot"}``. If root asks for another user, it
also has ``"asker": 1000``. Its answer is ``{"result": …}`` or
``{"error": {"kind": …, "text": …}}``; answers come in the order of the requests. After ``watch``
there are lines ``{"status": …}`` between them.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from ota_agent.api.calls import CALLS, Call, Lines
from ota_agent.api.status import Status
from ota_agent.errors import AgentError
from ota_artifact.json_text import parse_any

LONGEST = 64 * 1024
"""A line with its end [B]."""

_LONGEST_TEXT = 4096  # characters, as many as a path in Linux

ASKER = "asker"
"""Of a request: the number of the user whom root asks for."""

_MOST_USERS = 1 << 32

HEARTBEAT = 30.0
"""A watcher gets a line at least this often [s], so that either side notices the other's end."""

Kind = Literal["invalid", "refused", "impossible", "busy", "bug"]
"""Of an error: the request is wrong; the caller may not; it cannot be done; later; our bug."""


class Wrong(AgentError):
    """A request is answered with an error.

    Attributes:
        kind: of the error.
    """

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind: Kind = kind


def parse_request(line: bytes) -> tuple[Call, dict[str, Any]]:
    """The call that a line asks for, and its arguments; among them `ASKER`, if it is there.

    Raises:
        Wrong: there is none in it.
    """
    try:
        found = parse_any(line)
    except ValueError as error:
        raise Wrong(
            "invalid", f"the line is not JSON ({error}); send one object in a line"
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("call"), str):
        raise Wrong("invalid", 'the line is not a request; send one such as {"call": "status"}')
    name = found.pop("call")
    call = CALLS.get(name)
    if call is None:
        raise Wrong("invalid", f"there is no call {_short(name)}; there are {', '.join(CALLS)}")
    asker = found.get(ASKER, 0)
    if type(asker) is not int or not 0 <= asker < _MOST_USERS:
        raise Wrong("invalid", f"{name}: {ASKER} has to be the number of a user")
    if unknown := found.keys() - call.takes.keys() - {ASKER}:
        raise Wrong("invalid", f"{name}: has no argument {_short(min(unknown))}")
    for key, kind in call.takes.items():
        if rule := _rule_broken(found.get(key), kind):
            raise Wrong("invalid", f"{name}: the argument {key} has to be {rule}")
    return call, found


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
        found = parse_any(line)
    except ValueError as error:
        raise AgentError(f"the agent has sent {line[:80]!r}, which is not JSON") from error
    match found:
        case {"error": {"kind": str(kind), "text": str(text)}}:
            raise Wrong(kind if kind in get_args(Kind) else "bug", text)  # type: ignore[arg-type]
        case {"result": _} | {"status": _}:
            return dict(found)
        case _:
            raise AgentError(f"the agent has sent {line[:80]!r}; is it of this version?")


def _rule_broken(value: object, kind: object) -> str:
    """What an argument of a kind has to be, if the value is not; else empty."""
    if choices := get_args(kind):
        return "" if value in choices else f"one of {', '.join(choices)}"
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false"
    if kind is Lines:
        is_text = isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)
        return "" if is_text else "a text"
    is_line = isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_TEXT
    return "" if is_line else f"a text in one line, of at most {_LONGEST_TEXT} characters"


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
