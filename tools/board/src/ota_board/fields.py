# SPDX-License-Identifier: Apache-2.0
"""Reads the fields of a YAML file; an error names file and line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from ota_board.errors import BoardError
from ota_board.size import parse_size

_T = TypeVar("_T", bound=str)


class Fields:
    """One mapping of a YAML file, without unknown fields.

    Attributes:
        place: of the mapping in the file, such as ``storage``; empty at the top.
    """

    def __init__(self, path: Path, place: str, node: yaml.Node, known: Sequence[str]) -> None:
        self._path = path
        self._node = node
        self.place = place
        self._nodes: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            raise self._error(place, node, "must be a mapping of fields")
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name not in known:
                raise self._error(
                    self._at(name), key, f"unknown field; known: {', '.join(sorted(known))}"
                )
            if name in self._nodes:
                raise self._error(self._at(name), key, "is there twice; leave one out")
            self._nodes[name] = value

    def has(self, name: str) -> bool:
        """Whether the mapping has the field."""
        return name in self._nodes

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default the field is required."""
        node = self._nodes.get(name)
        if node is None and default is not None:
            return default
        return self._scalar(name, self._required(name))

    def choice(self, name: str, choices: Sequence[_T], default: _T | None = None) -> _T:
        """One of several texts."""
        text = self.text(name, default)
        for choice in choices:
            if text == choice:
                return choice
        raise self.wrong(name, f"{text!r} is not one of {', '.join(choices)}")

    def size(self, name: str, default: int | None = None) -> int:
        """A size [B]."""
        if name not in self._nodes and default is not None:
            return default
        try:
            return parse_size(self.text(name))
        except BoardError as error:
            raise self.wrong(name, str(error)) from error

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number, decimal or hexadecimal."""
        if name not in self._nodes and default is not None:
            return default
        text = self.text(name)
        try:
            return int(text, 0)
        except ValueError as error:
            raise self.wrong(name, f"{text!r} is not a whole number") from error

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; () if the field is missing."""
        return tuple(self._scalar(name, each) for each in self._sequence(name))

    def sizes(self, name: str) -> tuple[int, ...]:
        """A list of sizes [B]; () if the field is missing."""
        try:
            return tuple(parse_size(text) for text in self.texts(name))
        except BoardError as error:
            raise self.wrong(name, str(error)) from error

    def numbers(self, name: str) -> dict[str, int]:
        """A mapping of names to whole numbers; empty if the field is missing."""
        inner = self._mapping(name, "numbers")
        return {each: inner.number(each) for each in inner._nodes} if inner else {}

    def named_texts(self, name: str) -> dict[str, str]:
        """A mapping of names to texts; empty if the field is missing."""
        inner = self._mapping(name, "texts")
        return {each: inner.text(each) for each in inner._nodes} if inner else {}

    def named_lists(self, name: str) -> dict[str, tuple[str, ...]]:
        """A mapping of names to lists of texts; empty if the field is missing."""
        inner = self._mapping(name, "lists")
        return {each: inner.texts(each) for each in inner._nodes} if inner else {}

    def named_mappings(self, name: str, known: Sequence[str]) -> dict[str, "Fields"]:
        """A mapping of names to mappings, in its order; empty if the field is missing."""
        inner = self._mapping(name, "mappings")
        return {each: inner.inner(each, known) for each in inner._nodes} if inner else {}

    def inner(self, name: str, known: Sequence[str]) -> "Fields":
        """A mapping inside this one."""
        return Fields(self._path, self._at(name), self._required(name), known)

    def each(self, name: str, known: Sequence[str]) -> Iterator["Fields"]:
        """The mappings of a list; none if the field is missing."""
        for index, node in enumerate(self._sequence(name)):
            yield Fields(self._path, f"{self._at(name)}[{index}]", node, known)

    def wrong(self, name: str, finding: str) -> BoardError:
        """The error to raise for a field."""
        return self._error(self._at(name), self._nodes.get(name, self._node), finding)

    def _mapping(self, name: str, of: str) -> "Fields | None":
        if name not in self._nodes:
            return None
        node = self._nodes[name]
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(name, f"must be a mapping of names to {of}")
        names = [self._scalar(name, key) for key, _ in node.value]
        return Fields(self._path, self._at(name), node, names)

    def _required(self, name: str) -> yaml.Node:
        if name not in self._nodes:
            raise self._error(self._at(name), self._node, "is missing")
        return self._nodes[name]

    def _sequence(self, name: str) -> list[yaml.Node]:
        if name not in self._nodes:
            return []
        node = self._nodes[name]
        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(name, "must be a list")
        return list(node.value)

    def _scalar(self, name: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._error(self._at(name), node, "must be a text")
        text = str(node.value).removesuffix("\n")  # YAML ends a folded text with one
        if text.splitlines() != [text]:
            raise self._error(self._at(name), node, "must be one line of text")
        return text

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def _error(self, place: str, node: yaml.Node, finding: str) -> BoardError:
        line = node.start_mark.line + 1
        return BoardError(f"{self._path}:{line}: {place + ': ' if place else ''}{finding}")


def read_fields(path: Path, known: Sequence[str]) -> Fields:
    """The top mapping of a YAML file.

    Raises:
        BoardError: the file is not YAML, or has unknown fields.
        OSError: the file cannot be read.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BoardError(f"{path}:{line}: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BoardError(f"{path}: is not YAML in UTF-8: {error}") from error
    except RecursionError as error:
        raise BoardError(f"{path}: nests too deep") from error
    if node is None:
        raise BoardError(f"{path}:1: is empty; see `ota-board new`")
    return Fields(path, "", node, known)
