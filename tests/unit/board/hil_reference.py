# SPDX-License-Identifier: Apache-2.0
"""The reference of hil.yaml, written from the dataclasses that it is read into.

`python -m tests.unit.board.hil_reference --write` writes the page; a test says when it is stale.
"""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from ota_agent.config.section import attribute_docs
from ota_board.hil import Death, Hil, Milestone, Power, Symptom, Wire
from ota_board.load_hil import BOOTLOADER
from tests.house.generated import show_or_write
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "hil-yaml.md"

HEAD = """\
# hil.yaml

<!-- Made by `make docs` from the dataclasses that the file is read into: do not edit. -->

`boards/<board>/hil.yaml` describes a board on the bench: what its console prints when it starts
well, what it prints when something is wrong, and how it is wired and powered. A user follows it
while [bringing up a board](../howto/bring-up.md), and `ota-hil milestones` holds a saved console
log against it.
`ota-board check` reports what is wrong with it, with file, line and field. Fields that are not
listed here are refused. A board does not need this file.

A **pattern** is a text of one line, as the console prints it. `*` stands for any text, also for
none. It has printable ASCII characters only, at most 120 of them, and at most four stars; one part
has at least four characters, since a shorter one would be found by chance.

`boards/hil.yaml` has the patterns that many boards print. A board takes a milestone from there by
its name, and adds the time: `kernel: {within: 20}`. What it says itself comes first. Deaths in that
file, and milestones with `only`, count for every board. With `BOOTLOADER: u-boot` or `grub`, an
entry of that file is for the boards with this bootloader.

| Field | |
|---|---|
| `schema` | 1 |
| `basis` | how the times of milestones that do not say it are known (default: `estimate`) |
"""

_PARTS = {
    "milestones": ("a mapping of names to", Milestone),
    "deaths": ("a list of", Death),
    "symptoms": ("a list of", Symptom),
    "wiring": ("a list of", Wire),
    "power": ("", Power),
}
"""How the fields with fields of their own are written down."""


def render() -> str:
    """The whole page."""
    docs = attribute_docs(Hil)
    fields = "".join(f"| `{name}` | {docs[name]} |\n" for name in docs)
    sections = "".join(
        f"\n## {name}\n\n{_about(how, kind)}{''.join(_rows(kind))}"
        for name, (how, kind) in _PARTS.items()
    )
    return f"{HEAD.replace('BOOTLOADER', BOOTLOADER)}{fields}{sections}"


def _about(how: str, kind: type[Any]) -> str:
    about = (kind.__doc__ or "").partition("\n")[0]
    each = f" The file has {how} these fields." if how else ""
    return f"{about}{each}\n\n| Field | | |\n|---|---|---|\n"


def _rows(kind: type[Any]) -> Iterator[str]:
    docs, hints = attribute_docs(kind), typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        if each.name != "name":
            need = "" if each.default is dataclasses.MISSING else " optional"
            meaning = docs[each.name].replace("``", "`").replace(" [s]", "")
            yield f"| `{each.name}` |{need} {_type(hints[each.name])} | {meaning} |\n"


def _type(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(hint))
    return "whole seconds" if hint is int else "text" if hint is str else "pattern"


if __name__ == "__main__":
    show_or_write(PAGE, render())
