# SPDX-License-Identifier: Apache-2.0
"""The agent's configuration file of an image: every key explained, and what the build sets, set."""

import re
from collections.abc import Iterator

_SECTION = re.compile(r"\[([\w-]+)\]")
_KEY = re.compile(r"#?(\w+) = .*")


def explained(own: str, default: str) -> str:
    """A configuration with all keys that it does not set as comments.

    Args:
        own: keys in sections, each key on a line of its own.
        default: every key as a comment, with what it means. If it has no place for one of ours, as
            that of another version of the agent may, ours is given as it is.
    """
    values = {place: line for place, line in _lines(own) if place and not line.startswith("#")}
    lines = []
    for place, line in _lines(default):
        lines.append(values.pop(place, line) if place else line)
    return own if values else "".join(f"{line}\n" for line in lines)


def _lines(text: str) -> Iterator[tuple[tuple[str, str] | None, str]]:
    """Each line, and the section and key that it sets or would set."""
    section = ""
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line):
            section = match[1]
        match = _KEY.fullmatch(line)
        yield (section, match[1]) if match else None, line
