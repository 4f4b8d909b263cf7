# SPDX-License-Identifier: Apache-2.0
"""Every state and every event of the agent, and the table of them: docs/design/agent-states.md.

python -m tests.unit.agent.table --write
"""

import sys
from dataclasses import replace

from ota_agent.address import Address
from ota_agent.lifecycle.actions import Action, RunScripts
from ota_agent.lifecycle.events import (
    Answered,
    CommitAsked,
    Done,
    Event,
    Failed,
    Fetched,
    NothingNew,
    Offered,
    PollDue,
    RollbackAsked,
    Started,
    Trial,
)
from ota_agent.lifecycle.states import Idle, State
from ota_agent.lifecycle.step import Unexpected, step
from ota_agent.lifecycle.update import Artifact, Update
from ota_artifact.provides import ROOTFS
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "design" / "agent-states.md"

TRIALS: tuple[Trial, ...] = ("none", "running", "committed", "rolled-back")

BOTH = Artifact(name="all-2", types=("single-file", ROOTFS))

UPDATE = Update(
    source=Address("u"),
    deployment="d",
    artifact=BOTH,
    target="B",
    has_rebooted=True,
    reason="because",
)
EVENTS: tuple[Event, ...] = (
    PollDue(),
    NothingNew(),
    Offered(Update(source=Address("u"), deployment="d")),
    Fetched(BOTH, "B"),
    *(Answered(wants, can) for wants in (True, False) for can in (True, False)),
    Done(),
    Failed("because"),
    CommitAsked(),
    RollbackAsked("because"),
    *(Started(has, trial) for has in (True, False) for trial in TRIALS),
)


def reached() -> dict[str, State]:
    """States that can be reached: of each kind one for the server and one for a user."""
    found: dict[str, State] = {}
    waiting: list[State] = [Idle()]
    while waiting:
        state = waiting.pop()
        is_standalone = not getattr(getattr(state, "update", UPDATE), "deployment", "")
        name = f"{type(state).__name__}{' of a user' if is_standalone else ''}"
        if name in found:
            continue
        found[name] = state
        for event in EVENTS:
            for update in (
                Update(source=Address("u"), deployment="d"),
                Update(source=Address("u")),
                UPDATE,
                replace(UPDATE, deployment=""),
            ):
                each: Event = Offered(update) if isinstance(event, Offered) else event
                try:
                    waiting.append(step(state, each).state)
                except Unexpected:
                    continue
    return found


def table() -> str:
    """The rows: a state, an event, the next state, and what is done then."""
    kinds = (Artifact(name="v2", types=(ROOTFS,)), Artifact(name="app", types=("single-file",)))
    rows: dict[tuple[str, ...], set[str]] = {}
    for name, state in sorted(reached().items(), key=_order):
        for event in EVENTS:
            for artifact in kinds:
                try:
                    now = step(_with(state, artifact), event)
                except Unexpected:
                    continue
                done = ", ".join(filter(None, map(_action, now.actions))) or "nothing"
                key = (name, _event(event), type(now.state).__name__, done)
                rows.setdefault(key, set()).add("rootfs" if ROOTFS in artifact.types else "module")
    lines = ["| state | event | of | next | what is done |", "|---|---|---|---|---|"]
    for (name, events, following, done), of in _merged(rows).items():
        kind = "" if len(of) == 2 else next(iter(of))
        lines.append(f"| {name} | {events} | {kind} | {following} | {done} |")
    return "\n".join(lines) + "\n"


def _merged(rows: dict[tuple[str, ...], set[str]]) -> dict[tuple[str, ...], set[str]]:
    """Rows that differ in their event alone become one."""
    found: dict[tuple[str, ...], list[str]] = {}
    for (name, event, following, done), of in rows.items():
        found.setdefault((name, following, done, *sorted(of)), []).append(event)
    return {
        (key[0], "; ".join(_together(events)), key[1], key[2]): set(key[3:])
        for key, events in found.items()
    }


def _together(events: list[str]) -> list[str]:
    """Events with what all starts have in common said once."""
    starts = {each for each in events if each.startswith("Started")}
    found = [each for each in events if each not in starts]
    if len(starts) == len(TRIALS) * 2:
        return [*found, "Started"]
    for who in ("device", "agent"):
        own = {f"Started, {who}, trial {trial}" for trial in TRIALS}
        if own <= starts:
            starts -= own
            found.append(f"Started, {who}")
    for trial in TRIALS:
        both = {f"Started, {who}, trial {trial}" for who in ("device", "agent")}
        if both <= starts:
            starts -= both
            found.append(f"Started, trial {trial}")
    return [*found, *sorted(starts)]


def _order(item: tuple[str, State]) -> tuple[int, bool]:
    name = item[0].partition(" ")[0]
    return [each.__name__ for each in State.__args__].index(name), " " in item[0]


def _with(state: State, artifact: Artifact) -> State:
    if isinstance(state, Idle) or not hasattr(state, "update"):
        return state
    target = "B" if ROOTFS in artifact.types else ""
    update = replace(state.update, artifact=artifact, target=target)
    changed: State = replace(state, update=update)  # type: ignore[arg-type]
    return changed


def _event(event: Event) -> str:
    match event:
        case Answered(wants, can):
            reboot = "needs a reboot" if wants else "no reboot"
            return f"Answered: {reboot}, {'can' if can else 'cannot'} roll back"
        case Started(has_rebooted, trial, _):
            return f"Started, {'device' if has_rebooted else 'agent'}, trial {trial}"
        case _:
            return type(event).__name__


def _action(action: Action) -> str:
    match action:
        case RunScripts(state, moment, _):
            return f"{state}_{moment}"
        case _:
            detail = getattr(action, "call", "") or getattr(action, "status", "")
            return (
                detail if hasattr(action, "call") else f"{type(action).__name__} {detail}".strip()
            )


def page() -> str:
    """docs/design/agent-states.md, with the table as the code has it."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    return f"{before}<!-- table -->\n{table()}<!-- end -->\n{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        print(table(), end="")
