# SPDX-License-Identifier: Apache-2.0
"""A section of the configuration: a table of TOML on one side, a dataclass of options on the other.

The dataclass says it all: the fields are the keys, their types the values that they may have, their
defaults what counts without them, and the docstring's attributes what the default file explains.
"""

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from ota_agent.errors import AgentError

Options = TypeVar("Options")

_WIDTH = 96  # of a comment's line, without "# "


def read(kind: type[Options], table: Mapping[str, Any], where: str) -> Options:
    """The options of a table.

    Args:
        where: the file and the section, for errors, such as ``/etc/ota/agent.toml: [download]``.

    Raises:
        AgentError: a key that is unknown, or a value that is not of its kind.
    """
    hints = typing.get_type_hints(kind)
    known = {each.name: hints[each.name] for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise AgentError(f"{where} {name}: unknown; known: {', '.join(sorted(known))}")
    values = {name: _value(value, known[name], f"{where} {name}") for name, value in table.items()}
    return kind(**values)


def default_text(name: str, kind: type[object]) -> str:
    """The section with every key, as a comment, with its default and what it means."""
    import textwrap

    docs = attribute_docs(kind)
    lines = [f"[{name}]"]
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        text = docs.get(each.name, "").replace("``", "`")
        lines += [f"# {part}" for part in textwrap.wrap(text[:1].upper() + text[1:], _WIDTH)]
        lines += [f"#{each.name} = {as_toml(each.default)}", ""]
    return "\n".join(lines)


def attribute_docs(kind: type[object]) -> dict[str, str]:
    """What a docstring says under ``Attributes:``, by name, each in one line."""
    # From Python 3.13 on the compiler takes the indentation away; here it does so for all.
    _, _, text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if match := re.fullmatch(r" {4}(\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif name and line.startswith(" " * 8):
            found[name] += " " + line.strip()
    return found


def _value(value: object, kind: Any, where: str) -> object:
    """The value as the field's type has it."""
    origin = get_origin(kind)
    if origin is Literal:
        choices = get_args(kind)
        if value not in choices:
            raise AgentError(
                f"{where}: {value!r} is not one of {', '.join(repr(each) for each in choices)}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise AgentError(f'{where}: {value!r} must be a list, as in ["…"]')
        return tuple(_value(each, get_args(kind)[0], where) for each in value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise AgentError(f"{where}: {value!r} must not be negative")
        return float(value)
    if kind is int and type(value) is int and value < 0:
        raise AgentError(f"{where}: {value!r} must not be negative")
    if type(value) is kind:
        return value
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    raise AgentError(f"{where}: {value!r} must be {names.get(kind, 'a string')}")


def as_toml(value: object) -> str:
    """A value as TOML has it, behind a key's equals sign.

    Raises:
        TypeError: TOML has no such value, or this project no use for it, as for a date.
    """
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(as_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{as_toml(k)} = {as_toml(v)}' for k, v in value.items())}}}"
        case _:
            raise TypeError(f"{value!r}: has no text in TOML")
