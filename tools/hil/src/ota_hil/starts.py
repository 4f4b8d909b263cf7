# SPDX-License-Identifier: Apache-2.0
"""How a board started, by what its console printed: which milestones came, and which deaths."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ota_board.hil import POWER, Death, Hil, Milestone
from ota_hil.saved_log import Heard

Kind = Literal["missing", "early", "late", "death"]

MOST_STARTS = 1000
"""How many starts of one log are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a board.

    Attributes:
        number: of its first line in the log.
        came: where each milestone came first, by its name.
        deaths: those that came, where each came first, and how often.
    """

    number: int
    came: dict[str, Heard] = field(default_factory=dict)
    deaths: dict[Death, tuple[Heard, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a start.

    Attributes:
        name: of the milestone, or the pattern of the death.
        heard: the line; None for a milestone that did not come.
        means: what that means, in a sentence; may be empty.
        remedy: what to do; empty if that is a part of what it means.
    """

    kind: Kind
    name: str
    heard: Heard | None = None
    means: str
    remedy: str = ""


def starts_of(lines: Iterable[Heard], hil: Hil) -> list[Start]:
    """The starts in a log, in order; a line of the first milestone begins each.

    What comes before the first one belongs to a start of its own, if it has a milestone or a death.
    After `MOST_STARTS` the rest of the log is not read.
    """
    first = hil.required[0]
    found = [Start(number=1)]
    for line in lines:
        if first.pattern.found_in(line.text):
            if len(found) > MOST_STARTS:
                break
            found.append(Start(number=line.number))
        _note(line, hil, found[-1])
    before, *rest = found
    return rest if rest and not before.came and not before.deaths else found


def _note(line: Heard, hil: Hil, start: Start) -> None:
    for milestone in hil.milestones:
        if milestone.name not in start.came and milestone.pattern.found_in(line.text):
            start.came[milestone.name] = line
    for death in hil.deaths:
        if death.pattern.found_in(line.text):
            seen, times = start.deaths.get(death, (line, 0))
            start.deaths[death] = seen, times + 1


def findings(start: Start, hil: Hil) -> list[Finding]:
    """What is wrong with a start; deaths first, since other findings may follow from them."""
    return [*map(_of_death, start.deaths.items()), *_of_milestones(start, hil)]


def _of_milestones(start: Start, hil: Hil) -> Iterator[Finding]:
    for each in hil.milestones:
        heard = start.came.get(each.name)
        if heard is None:
            if not each.only:
                yield Finding(kind="missing", name=each.name, means=each.missing)
            continue
        if (before := start.came.get(each.after)) is None:
            continue
        if heard.number < before.number:
            text = f"It came before {each.after}, at line {before.number}."
            yield Finding(kind="early", name=each.name, heard=heard, means=text)
        elif _took(before, heard) > each.within:
            text = f"It came {_took(before, heard):.1f} s after {each.after}: {expected(each)}."
            yield Finding(kind="late", name=each.name, heard=heard, means=text)


def _of_death(item: tuple[Death, tuple[Heard, int]]) -> Finding:
    death, (heard, times) = item
    often = f" It came {times} times." if times > 1 else ""
    return Finding(
        kind="death",
        name=death.pattern.text,
        heard=heard,
        means=death.means + often,
        remedy=death.remedy,
    )


def expected(milestone: Milestone) -> str:
    """When a milestone comes in a good start."""
    if milestone.only and not milestone.after:
        return milestone.only
    basis = {"estimate": " (an estimate)", "qemu": " (as in QEMU)", "hardware": ""}
    after = "power-on" if milestone.after == POWER else milestone.after
    return f"within {milestone.within} s of {after}{basis[milestone.basis]}"


def _took(before: Heard, after: Heard) -> float:
    """The time from one line to another [s]; 0 if the log does not say."""
    if before.time is None or after.time is None:
        return 0.0
    return after.time - before.time
