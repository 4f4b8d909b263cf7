# SPDX-License-Identifier: Apache-2.0
"""The reference of agent.toml, written from the option classes that the agent itself reads.

`python -m tests.unit.agent.config.reference --write` writes the page; a test says when it is stale.
"""

import dataclasses
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from ota_agent.config.mender import translations
from ota_agent.config.section import as_toml, attribute_docs
from ota_agent.config.settings import SECTIONS
from tests.house.generated import show_or_write
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "agent-toml.md"
HEAD = """\
# agent.toml

<!-- Made by `make docs` from the agent's own option classes: do not edit. -->

`/etc/ota/agent.toml` configures the agent; every command takes another file with `--config`. All
keys are optional. A key or a section that is not on this page is an error, so that a misspelt key
does not go unnoticed. `ota-agent setup` [asks for the usual keys](../howto/set-up-a-device.md), and
`ota-agent setup --print-default` prints a file with every key as a comment. A device has that file
as `/usr/share/ota/agent.toml`; the file in /etc has only what the build of its image sets.

The agent also reads Mender's JSON. Later sources win: the defaults, `/var/lib/mender/mender.conf`,
`/etc/mender/mender.conf`, agent.toml, and finally `/data/ota/agent.toml`, which belongs to one
device and outlives its updates. Default folders below `/data/ota` and `/run/ota` follow `data` and
`run` of the section [device].

An error in agent.toml itself stops the command: the file belongs to one slot, and a trial of that
slot goes back. In the other three files a value that cannot be is passed over by itself, and a
damaged file as a whole, because an error in a file on /data would strand both slots. The log, the
status, the inventory (`ota_warning`) and `ota-agent doctor` name the file and the key. Nothing is
trusted more for it: if the file may have named the keys that artifacts must be signed with, and
nothing else names one, the agent refuses all artifacts, unless its memory says that the device took
any artifact before. What a file on /data may change, [data] `may` lists in agent.toml itself; what
is not listed, it can only make stricter. Files that others than root own or may write do not
count: see [whom a device trusts](../howto/trust.md). If `pins` or `ca_bundle` cannot be read, no
server is believed. `boot_id`, `data`, `run` and `running` count only in agent.toml itself: with a
wrong one, no agent would start. A time after which something is tried again, and a timeout,
cannot be 0.
"""
_NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}


def render() -> str:
    """The whole page."""
    parts = [HEAD, *(_section(name, kind) for name, kind in SECTIONS.items()), _mender()]
    return "\n".join(parts)


def kind_of(hint: Any) -> str:
    """What may stand as the value of a field, in words."""
    origin = get_origin(hint)
    if origin is Literal:
        return ", ".join(f"`{as_toml(each)}`" for each in get_args(hint))
    if origin is tuple:
        return f"list of {_NAMES[get_args(hint)[0]]}s"
    return _NAMES[hint]


def unit_of(hint: Any, meaning: str) -> str:
    """The unit of a number: ``s``, ``B`` or ``B/s``; empty for a count, or any other type."""
    if hint not in (int, float):
        return ""
    if match := re.search(r"\[(s|B/s|B)\]", meaning):
        return match[1]
    return "s" if hint is float and "second" in meaning else ""


def _section(name: str, kind: type[Any]) -> str:
    about = (kind.__doc__ or "").partition("\n")[0]
    rows = "\n".join(_rows(kind))
    head = "| key | type | default | unit | |\n|---|---|---|---|---|"
    return f"## [{name}]\n\n{about}\n\n{head}\n{rows}\n"


def _rows(kind: type[Any]) -> Iterator[str]:
    docs, hints = attribute_docs(kind), typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        meaning = docs[each.name].replace("``", "`").replace("|", "\\|")
        unit = unit_of(hints[each.name], meaning)
        meaning = re.sub(r" ?\[(s|B|B/s)\]", "", meaning)
        yield (
            f"| `{each.name}` | {kind_of(hints[each.name])} | `{as_toml(each.default)}` | {unit} |"
            f" {meaning[:1].upper()}{meaning[1:]} |"
        )


def _mender() -> str:
    rows = "\n".join(
        f"| `{theirs}` | [{section}] `{key}` |" for theirs, section, key in translations()
    )
    return f"## Keys of mender.conf\n\n| there | here |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    show_or_write(PAGE, render())
