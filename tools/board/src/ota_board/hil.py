# SPDX-License-Identifier: Apache-2.0
"""What a user or a harness at the bench needs to know of a board, checked."""

from dataclasses import dataclass, field
from typing import Literal

from ota_board.errors import BoardError

Basis = Literal["hardware", "qemu", "estimate"]
Printer = Literal["rom", "firmware", "spl", "bootloader", "linux", "system", "agent"]

POWER = "power"
"""The moment from which the first milestone's time counts: the power comes on, or a reset ends."""

_LONGEST, _SHORTEST = 120, 4  # characters of a pattern, and of its longest part
_MOST_STARS = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text as the console prints it, in one line; ``*`` stands for any text, also for none.

    It takes time in proportion to the line, whatever the line is.

    Attributes:
        parts: the texts between the stars.
    """

    text: str
    parts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what would be found everywhere, or nowhere.

        Raises:
            BoardError: the text is too long, too short, or cannot be on a console.
        """
        object.__setattr__(self, "parts", tuple(filter(None, self.text.split("*"))))
        if not self.text.isascii() or not self.text.isprintable():
            raise BoardError(f"{self.text!r} must have printable ASCII characters only")
        if len(self.text) > _LONGEST or self.text.count("*") > _MOST_STARS:
            raise BoardError(
                f"{self.text!r} is too long: give at most {_LONGEST} characters and"
                f" {_MOST_STARS} times '*'"
            )
        if max(map(len, self.parts), default=0) < _SHORTEST:
            raise BoardError(
                f"{self.text!r} would be found by chance: give at least {_SHORTEST} characters"
                " without a '*' between them"
            )

    def found_in(self, line: str) -> bool:
        """Whether a line has the parts, in their order."""
        at = 0
        for part in self.parts:
            at = line.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A line of the console that a good start prints.

    Attributes:
        name: short, for reports.
        pattern: the line, or a part of it, as the console prints it; ``*`` stands for any text.
        by: the program that prints it.
        after: the milestone from which ``within`` counts; ``power`` for power-on or a reset. By
            default it is the one above, without those that have ``only``.
        within: how long it may take [s].
        basis: how the time is known: measured on the hardware, seen in QEMU, or estimated.
        only: when it comes, if not at each start. Without it, a start that lacks the line is bad.
        missing: what it means if the line does not come, and what to do.
    """

    name: str
    pattern: Pattern
    by: Printer
    after: str = ""
    within: int = 0
    basis: Basis = "estimate"
    only: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A line of the console that no good start prints.

    Attributes:
        pattern: the line, or a part of it, as the console prints it; ``*`` stands for any text.
        by: the program that prints it.
        means: what has happened.
        remedy: what to do.
    """

    pattern: Pattern
    by: Printer
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Symptom:
    """What can be seen on the board and not on its console.

    Attributes:
        seen: what a user sees, such as the pattern of an LED.
        means: what it means.
        remedy: what to do.
    """

    seen: str
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire between the board and the adapter of the console.

    Attributes:
        board: the pin of the board.
        signal: what it is for the board.
        adapter: the pin of the adapter.
    """

    board: str
    signal: str
    adapter: str


@dataclass(frozen=True, slots=True)
class Power:
    """The supply.

    Attributes:
        supply: what the board needs.
        off: how long it must be off, so that it really is [s].
        feeds: what keeps feeding the board while the supply is off.
    """

    supply: str
    off: int
    feeds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hil:
    """A board on the bench. What board.yaml says is not repeated.

    Attributes:
        milestones: lines that a good start prints, by name, in their order.
        deaths: lines that no good start prints.
        symptoms: what can be seen without a console.
        wiring: of the console; its device and speed are in board.yaml.
        power: the supply; left out for a board that exists only in QEMU.
        start: how to make the board start from the card, step by step.
    """

    milestones: tuple[Milestone, ...]
    deaths: tuple[Death, ...]
    symptoms: tuple[Symptom, ...] = ()
    wiring: tuple[Wire, ...] = ()
    power: Power | None = None
    start: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[Milestone, ...]:
        """The milestones of each start."""
        return tuple(each for each in self.milestones if not each.only)
