# SPDX-License-Identifier: Apache-2.0
"""Reads ``hil.yaml`` of a board, and the one that all boards share, and checks them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import get_args

from ota_board.board import BootloaderKind
from ota_board.errors import BoardError
from ota_board.fields import Fields, read_fields
from ota_board.hil import (
    POWER,
    Basis,
    Death,
    Hil,
    Milestone,
    Pattern,
    Power,
    Printer,
    Symptom,
    Wire,
)
from ota_board.load import BOARD_NAME
from ota_board.places import data_folder

FILE = "hil.yaml"
SCHEMA = 1
"""Version of hil.yaml."""

BOOTLOADER = "bootloader"
"""Field of an entry that all boards with this bootloader share."""

_LONGEST = 3600  # [s] to wait for a line of the console
_LONGEST_OFF = 600  # [s]
_TIMES = ("after", "within", "basis")
SHARED_FIELDS = ("schema", "milestones", "deaths")
BOARD_FIELDS = ("schema", "basis", *(each.name for each in dataclass_fields(Hil)))
MILESTONE_FIELDS = tuple(each.name for each in dataclass_fields(Milestone) if each.name != "name")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all boards with one bootloader print.

    Attributes:
        milestones: by name; they have no times.
    """

    milestones: dict[str, Milestone]
    deaths: tuple[Death, ...]


def load_hil(folder: Path, bootloader: BootloaderKind, shared: Path | None = None) -> Hil | None:
    """What the bench needs to know of a board; None if its folder has no ``hil.yaml``.

    Args:
        shared: the file of all boards; by default the kit's own.

    Raises:
        BoardError: a file is not YAML, or a field is missing, unknown or wrong.
        OSError: a file cannot be read.
    """
    file = folder / FILE
    if not file.exists():
        return None
    common = load_shared(shared or data_folder("boards") / FILE, bootloader)
    top = _read(file, BOARD_FIELDS)
    milestones = _milestones(top, common)
    deaths = (*_deaths(top), *common.deaths)
    _check_deaths(top, milestones, deaths)
    return Hil(
        milestones=milestones,
        deaths=deaths,
        symptoms=tuple(
            Symptom(each.text("seen"), each.text("means"), each.text("remedy"))
            for each in top.each("symptoms", _names(Symptom))
        ),
        wiring=tuple(
            Wire(each.text("board"), each.text("signal"), each.text("adapter"))
            for each in top.each("wiring", _names(Wire))
        ),
        power=_power(top.inner("power", _names(Power))) if top.has("power") else None,
        start=top.texts("start"),
    )


def load_shared(file: Path, bootloader: BootloaderKind) -> Shared:
    """What all boards print, of the file that they share.

    Raises:
        BoardError: the file is not YAML, or a field is missing, unknown or wrong.
        OSError: it cannot be read.
    """
    top = _read(file, SHARED_FIELDS)
    known = tuple(each for each in MILESTONE_FIELDS if each not in _TIMES)
    milestones = {
        name: _milestone(each, name, None)
        for name, each in top.named_mappings("milestones", (*known, BOOTLOADER)).items()
        if _is_for(each, bootloader)
    }
    return Shared(milestones, tuple(_deaths(top, bootloader)))


def _read(file: Path, known: tuple[str, ...]) -> Fields:
    top = read_fields(file, known)
    if top.number("schema") != SCHEMA:
        raise top.wrong("schema", f"must be {SCHEMA}; a newer one needs a newer ota-board")
    return top


def _milestones(top: Fields, common: Shared) -> tuple[Milestone, ...]:
    """Those that the board names, and those of all boards that come only sometimes."""
    basis = top.choice("basis", get_args(Basis), "estimate")
    found: dict[str, Milestone] = {}
    before = POWER
    given = top.named_mappings("milestones", MILESTONE_FIELDS)
    for name, each in given.items():
        if not BOARD_NAME.fullmatch(name) or name == POWER:
            raise top.wrong(
                "milestones", f"{name!r} is not a name; use lower-case letters, digits, '-'"
            )
        if name not in common.milestones and not each.has("pattern"):
            known = ", ".join(common.milestones)
            raise top.wrong(
                "milestones",
                f"{name!r} needs a pattern; only those of all boards have one already: {known}",
            )
        milestone = _milestone(each, name, common.milestones.get(name))
        found[name] = _timed(each, milestone, before, basis, found)
        before = before if milestone.only else name
    if before == POWER:
        raise top.wrong("milestones", "must have at least one that comes at each start")
    rest = (each for each in common.milestones.values() if each.only and each.name not in found)
    return (*found.values(), *rest)


def _milestone(fields: Fields, name: str, common: Milestone | None) -> Milestone:
    """One without its times; what the board does not say is as for all boards."""
    if common is None:
        return Milestone(
            name=name,
            pattern=_pattern(fields),
            by=fields.choice("by", get_args(Printer)),
            only=_optional(fields, "only"),
            missing=_optional(fields, "missing"),
        )
    return Milestone(
        name=name,
        pattern=_pattern(fields) if fields.has("pattern") else common.pattern,
        by=fields.choice("by", get_args(Printer), common.by),
        only=_optional(fields, "only", common.only),
        missing=_optional(fields, "missing", common.missing),
    )


def _timed(
    fields: Fields, milestone: Milestone, before: str, basis: Basis, above: Mapping[str, Milestone]
) -> Milestone:
    """The milestone with its times; one that comes only sometimes needs none."""
    if milestone.only and not fields.has("within"):
        if useless := next(filter(fields.has, ("after", "basis")), ""):
            raise fields.wrong(useless, "goes with 'within'; add that, or leave this out")
        return milestone
    after = fields.text("after", before)
    if after != POWER and (after not in above or above[after].only):
        known = ", ".join((POWER, *(name for name, each in above.items() if not each.only)))
        raise fields.wrong("after", f"{after!r} must come before it at each start: {known}")
    return replace(
        milestone,
        after=after,
        within=_seconds(fields, "within", _LONGEST),
        basis=fields.choice("basis", get_args(Basis), basis),
    )


def _deaths(top: Fields, bootloader: BootloaderKind | None = None) -> Iterator[Death]:
    """Those of a file; with a bootloader, those of all boards that have it."""
    known = (*_names(Death), *((BOOTLOADER,) if bootloader else ()))
    for each in top.each("deaths", known):
        death = Death(
            pattern=_pattern(each),
            by=each.choice("by", get_args(Printer)),
            means=each.text("means"),
            remedy=each.text("remedy"),
        )
        if bootloader is None or _is_for(each, bootloader):
            yield death


def _check_deaths(top: Fields, milestones: Iterable[Milestone], deaths: Iterable[Death]) -> None:
    """Refuse a death that a milestone's own line would be taken for."""
    for death in deaths:
        for milestone in milestones:
            if death.pattern.found_in(milestone.pattern.text):
                raise top.wrong(
                    "deaths" if top.has("deaths") else "milestones",
                    f"{death.pattern.text!r} is found in the milestone {milestone.name!r}; make it"
                    " longer, so that no good start has it",
                )


def _power(fields: Fields) -> Power:
    return Power(
        supply=fields.text("supply"),
        off=_seconds(fields, "off", _LONGEST_OFF),
        feeds=fields.text("feeds"),
    )


def _pattern(fields: Fields) -> Pattern:
    text = fields.text("pattern")
    try:
        return Pattern(text)
    except BoardError as error:
        raise fields.wrong("pattern", str(error)) from error


def _seconds(fields: Fields, name: str, most: int) -> int:
    found = fields.number(name)
    if not 0 < found <= most:
        raise fields.wrong(name, f"{found} must be from 1 to {most} seconds")
    return found


def _optional(fields: Fields, name: str, default: str = "") -> str:
    return fields.text(name) if fields.has(name) else default


def _is_for(fields: Fields, bootloader: BootloaderKind) -> bool:
    """Whether an entry that boards share is for those with a bootloader."""
    kind: BootloaderKind = fields.choice(BOOTLOADER, get_args(BootloaderKind), bootloader)
    return kind == bootloader


def _names(kind: type[object]) -> tuple[str, ...]:
    """The fields of a dataclass, which the file has by the same names."""
    return tuple(each.name for each in dataclass_fields(kind))  # type: ignore[arg-type]
