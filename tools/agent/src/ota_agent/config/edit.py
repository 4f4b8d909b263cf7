# SPDX-License-Identifier: Apache-2.0
"""Changes keys in a configuration's text, and leaves all else in it as somebody wrote it."""

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ota_agent.config.section import as_toml
from ota_agent.durable import sync_folder, write_file
from ota_agent.errors import AgentError

Changes = Mapping[tuple[str, str], object]
"""New values by section and key."""

_SECTION = re.compile(r"\s*\[\s*([\w-]+)\s*\]\s*(?:#.*)?")


def edited(text: str, changes: Changes, where: str) -> str:
    """A configuration with other values of some keys.

    A key that is there keeps its place and its comment; one that is there as a comment, as in the
    default file, takes that line's place; others stand first in their section.

    Args:
        where: the file, for errors.

    Raises:
        AgentError: it is no TOML, or written in a way that is not understood here, as with dotted
            keys; it must be edited by hand then.
    """
    wanted = _parsed(text, where)
    lines = text.splitlines()
    for (section, key), value in changes.items():
        wanted.setdefault(section, {})[key] = _plain(value)
        lines = _set(lines, section, key, f"{key} = {as_toml(value)}")
    new = "".join(f"{line}\n" for line in lines)
    try:
        is_right = tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        names = ", ".join(f"{key} in [{section}]" for section, key in changes)
        raise AgentError(f"{where}: cannot be changed from here: set {names} by hand")
    return new


def save(path: Path, text: str) -> Path | None:
    """Write a configuration, whole or not at all; gives where the old one is kept now.

    Its rights stay; a new one is for root alone, since it may hold a token.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.old")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o600
    write_file(new, (text.encode(),), mode=mode)
    is_kept = path.exists()
    if is_kept:
        with suppress(FileNotFoundError):
            old.unlink()
        os.link(path, old)
    new.replace(path)
    sync_folder(path.parent)
    return old if is_kept else None


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgentError(f"{where}: is not TOML: {error}") from error


def _plain(value: object) -> object:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _set(lines: list[str], section: str, key: str, line: str) -> list[str]:
    """The lines with one key set."""
    begin = next((i for i, each in enumerate(lines, 1) if _name(each) == section), None)
    if begin is None:
        gap = [""] if lines and lines[-1].strip() else []
        return [*lines, *gap, f"[{section}]", line]
    end = next((i for i in range(begin, len(lines)) if _name(lines[i])), len(lines))
    own = re.compile(rf"\s*{re.escape(key)}\s*=")
    for i in range(begin, end):
        if own.match(lines[i]):
            last, comment = _statement(lines, i)
            return [*lines[:i], f"{line}{comment}", *lines[last + 1 :]]
    default = re.compile(rf"#\s?{re.escape(key)} = ")
    for i in range(begin, end):
        if default.match(lines[i]):
            return [*lines[:i], line, *lines[i + 1 :]]
    return [*lines[:begin], line, *lines[begin:]]


def _name(line: str) -> str:
    """The section that a line begins; empty if it begins none."""
    match = _SECTION.fullmatch(line)
    return match[1] if match else ""


def _statement(lines: list[str], first: int) -> tuple[int, str]:
    """The last line of a key's value, and the comment behind it."""
    for last in range(first, len(lines)):
        found = _value("\n".join(lines[first : last + 1]))
        if found is None:
            continue
        line, before = lines[last], lines[first:last]
        for match in re.finditer(r"\s*#", line):
            if _value("\n".join([*before, line[: match.start()]])) == found:
                return last, line[match.start() :]
        return last, ""
    return first, ""


def _value(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
