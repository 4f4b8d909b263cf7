# SPDX-License-Identifier: Apache-2.0
"""Update control maps: what the server or a program wants to happen before a state. Pure.

Source: mender-client 3.5, app/updatecontrolmap.go by its behaviour, and its documentation
(Synchronized updates).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import PausePoint
from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import parse_object

Act = Literal["continue", "force_continue", "pause", "fail"]
Verdict = Literal["continue", "pause", "fail"]

_POINTS: tuple[PausePoint, ...] = get_args(PausePoint)
_ACTS: tuple[Act, ...] = get_args(Act)
_ENTER = "_Enter"
_HIGHEST = 10
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


_WIDTH = 80  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens before one state.

    Attributes:
        action: as long as the map holds.
        on_expire: afterwards; never a pause, which could last forever.
        on_executed: becomes the action once that was looked at.
    """

    action: Act = "continue"
    on_expire: Act = "continue"
    on_executed: Act = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlMap:
    """One map.

    Attributes:
        id: its sender's; the deployment's, if the server gave it.
        priority: -10 to 10; the highest is asked first.
        rules: what happens before which state.
        ends: when it expires [s].
        is_server: the server gave it.
    """

    id: str
    priority: int = 0
    rules: Mapping[PausePoint, Rule] = field(default_factory=dict)
    ends: float = 0.0
    is_server: bool = False


def parse_text(text: str) -> ControlMap:
    """A map from JSON, as the device's side gives it.

    Raises:
        AgentError: it is none.
    """
    try:
        value = parse_object(text.encode("utf-8", "surrogatepass"), "update control map")
    except ArtifactError as error:
        raise AgentError(str(error)) from error
    return parse(value)


def parse(value: object, *, deployment: str = "") -> ControlMap:
    """A map from parsed JSON; a field that is null, or an empty text, is as if it were not there.

    Args:
        deployment: whose map it is if the server gives it, without or with this id.

    Raises:
        AgentError: it is none; the text names the field.
    """
    fields = _object(value, "update control map", {"id", "priority", "states"})
    name = fields.get("id") or deployment
    if not isinstance(name, str) or not (_ID.fullmatch(name) or (deployment and name)):
        raise AgentError(f"update control map: id: {_shown(name)} is not a UUID")
    if deployment and name != deployment:
        raise AgentError(f"update control map: id: {_shown(name)} is not that of {deployment}")
    priority = fields.get("priority")
    priority = 0 if priority is None else priority
    if type(priority) is not int or abs(priority) > _HIGHEST:
        raise AgentError(
            f"update control map: priority: {_shown(priority)} is not within -10 to 10"
        )
    states = fields.get("states") or {}
    known = {f"{each}{_ENTER}" for each in _POINTS}
    rules: dict[PausePoint, Rule] = {}
    for state, rule in _object(states, "update control map: states", known).items():
        parsed = _rule({} if rule is None else rule, f"update control map: {state}")
        if parsed != Rule():
            rules[cast(PausePoint, state.removesuffix(_ENTER))] = parsed
    return ControlMap(id=name, priority=priority, rules=rules, is_server=bool(deployment))


def to_json(found: ControlMap) -> dict[str, Any]:
    """The map as `parse` reads it."""
    states = {
        f"{point}{_ENTER}": {
            "action": rule.action,
            "on_map_expire": rule.on_expire,
            "on_action_executed": rule.on_executed,
        }
        for point, rule in found.rules.items()
    }
    return {"id": found.id, "priority": found.priority, "states": states}


def judged(
    maps: Iterable[ControlMap], point: PausePoint, now: float
) -> tuple[Verdict, tuple[ControlMap, ...]]:
    """What happens before a state, and the maps as they are afterwards.

    The highest priority is asked first; within it a ``fail`` wins over a ``pause``, and that over
    ``force_continue``, below which nobody is asked. A ``continue`` leaves it to those below.

    Args:
        now: [s], by the clock of the maps' times.
    """
    found = sorted(maps, key=lambda each: -each.priority)
    asked: set[int] = set()
    verdict: Verdict = "continue"
    for priority in sorted({each.priority for each in found}, reverse=True):
        asked.add(priority)
        acts = {_act(each, point, now) for each in found if each.priority == priority}
        if decisive := next(
            (act for act in ("fail", "pause", "force_continue") if act in acts), ""
        ):
            verdict = cast(Verdict, decisive.removeprefix("force_"))
            break
    return verdict, tuple(
        _executed(each, point, now) if each.priority in asked else each for each in found
    )


def _act(found: ControlMap, point: PausePoint, now: float) -> Act:
    rule = found.rules.get(point, Rule())
    return rule.on_expire if now >= found.ends else rule.action


def _executed(found: ControlMap, point: PausePoint, now: float) -> ControlMap:
    """The map after its rule was looked at."""
    rule = found.rules.get(point)
    if rule is None or now >= found.ends:
        return found
    return replace(found, rules={**found.rules, point: replace(rule, action=rule.on_executed)})


def _rule(value: object, where: str) -> Rule:
    fields = _object(value, where, {"action", "on_map_expire", "on_action_executed"})
    action = _choice(fields, "action", "continue", _ACTS, where)
    expires = tuple(each for each in _ACTS if each != "pause")
    default: Act = "fail" if action == "pause" else action
    return Rule(
        action,
        _choice(fields, "on_map_expire", default, expires, where),
        _choice(fields, "on_action_executed", action, _ACTS, where),
    )


def _choice(
    fields: Mapping[str, Any], name: str, default: Act, choices: tuple[Act, ...], where: str
) -> Act:
    value = fields.get(name)
    if value is None or value == "":
        return default
    if value not in choices:
        raise AgentError(f"{where}: {name}: {_shown(value)} is not one of {', '.join(choices)}")
    return cast(Act, value)


def _object(value: object, where: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AgentError(f"{where}: must be an object")
    for name in value.keys() - known:
        raise AgentError(f"{where}: {_shown(name)} is unknown; known: {', '.join(sorted(known))}")
    return value


def _shown(value: object) -> str:
    """The start of a value, for messages."""
    try:
        return repr(value)[:_WIDTH]
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
