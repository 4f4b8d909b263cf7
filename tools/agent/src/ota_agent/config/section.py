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
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from ota_agent.bounds import fault_of
from ota_agent.errors import AgentError

Options = TypeVar("Options")

_WIDTH = 96  # of a comment's line, without "# "
_MOST = 1 << 62  # of a whole number, which may be bytes
_LONGEST = 1e9  # [s] of any time: 30 years, which every clock and lock still takes


def read(kind: type[Options], table: Mapping[str, Any], where: str) -> Options:
    """The options of a table.

    Args:
        where: the file and the section, for errors, such as ``/etc/ota/agent.toml: [download]``.

    Raises:
        AgentError: a key that is unknown, or a value that is not of its kind.
    """
    return kind(
        **{name: value_of(kind, name, value, f"{where} {name}") for name, value in table.items()}
    )


def value_of(kind: Any, name: str, value: object, place: str) -> object:
    """The value of one key, as its field has it.

    Args:
        place: the file and the key, for errors.

    Raises:
        AgentError: the key is unknown, or the value is not of its kind.
    """
    known = _kinds(kind)
    if name not in known:
        raise AgentError(f"{place}: unknown; known: {', '.join(sorted(known))}")
    option = kind.__dataclass_fields__[name]
    try:
        found = _value(value, known[name], place)
    except AgentError:
        if option.repr:
            raise
        needed = "a list of strings" if get_origin(known[name]) is tuple else "a string"
        raise AgentError(f"{place}: must be {needed}; what it is may be secret") from None
    if isinstance(found, int | float) and (fault := fault_of(option, found)):
        raise AgentError(f"{place}: {_shown(value)} {fault}")
    return found


@cache
def _kinds(kind: Any) -> Mapping[str, Any]:
    """The type of each field."""
    hints = typing.get_type_hints(kind)
    return {each.name: hints[each.name] for each in dataclasses.fields(kind)}


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
        if not any(type(each) is type(value) and each == value for each in choices):
            known = ", ".join(
                repr(each) if isinstance(each, str) else as_toml(each) for each in choices
            )
            raise AgentError(f"{where}: {_shown(value)} is not one of {known}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise AgentError(f'{where}: {_shown(value)} must be a list, as in ["…"]')
        return tuple(_value(each, get_args(kind)[0], where) for each in value)
    if kind in (str, Path) and isinstance(value, str):
        if not _is_text(value):
            raise AgentError(f"{where}: {_shown(value)} has a character that no name can have")
        if kind is Path and not value:
            raise AgentError(f"{where}: must be a path")
        return kind(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, where)
        return float(value)
    if kind is int and type(value) is int:
        _check_number(value, where)
        return value
    if type(value) is kind:
        return value
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    raise AgentError(f"{where}: {_shown(value)} must be {names.get(kind, 'a string')}")


def _check_number(value: float, where: str) -> None:
    if value < 0:
        raise AgentError(f"{where}: {_shown(value)} must not be negative")
    if not value <= (_MOST if isinstance(value, int) else _LONGEST):  # nan is never less
        raise AgentError(f"{where}: {_shown(value)} is not a number that it can be")


def _is_text(value: str) -> bool:
    """Whether a file, an address or a program can have it in its name."""
    try:
        return b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:  # half of a character, which JSON can spell
        return False


def _shown(value: object) -> str:
    """For messages: a number can have more digits than Python prints."""
    try:
        return repr(value)[:_WIDTH]
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"


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
