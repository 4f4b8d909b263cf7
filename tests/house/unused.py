# SPDX-License-Identifier: Apache-2.0
"""The functions and classes of the tools that only tests use, found by their names.

A name counts where it can mean the definition: in its own file, in an import, after a dot, or as a
whole string (for tables of calls). A definition that only unused ones use is unused itself.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_WORD = re.compile(r"[A-Za-z_]\w*")
_ANYWHERE = ""  # instead of the file that a name counts in


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A function, method or class.

    Attributes:
        file: where it is.
        line: its first one.
        name: without that of its class.
        qualified: with that of its class.
    """

    file: str
    line: int
    name: str
    qualified: str


@dataclass(slots=True)
class Found:
    """The names that files define and use.

    Attributes:
        definitions: in the order of the files.
        uses: for a name and the file that it counts in, the definitions that each use is in.
    """

    definitions: list[Definition] = field(default_factory=list)
    uses: dict[tuple[str, str], list[frozenset[Definition]]] = field(default_factory=dict)

    def add_module(self, file: str, source: str) -> None:
        """Add a Python file."""
        self._visit(ast.parse(source), file, frozenset())

    def _visit(self, node: ast.AST, file: str, inside: frozenset[Definition]) -> None:
        for child in ast.iter_child_nodes(node):
            within = inside
            match child:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                    found = Definition(
                        file=file,
                        line=child.lineno,
                        name=child.name,
                        qualified=owner + child.name,
                    )
                    self.definitions.append(found)
                    within = inside | {found}
                case ast.Name(id=name):
                    self._use(name, file, inside)
                case ast.Attribute(attr=name) | ast.alias(name=name):
                    self._use(name, _ANYWHERE, inside)
                case ast.Constant(value=str(text)) if _WORD.fullmatch(text):
                    self._use(text, _ANYWHERE, inside)
            self._visit(child, file, within)

    def _use(self, name: str, file: str, inside: frozenset[Definition]) -> None:
        self.uses.setdefault((name, file), []).append(inside)

    def users(self, one: Definition) -> Iterator[frozenset[Definition]]:
        """For each use of a definition, the definitions that the use is in."""
        for file in (one.file, _ANYWHERE):
            yield from self.uses.get((one.name, file), ())


def unused(found: Found, allowed: Iterable[str] = ()) -> list[str]:
    """The definitions that nothing uses, one line each.

    Args:
        allowed: qualified names that may stay.
    """
    may_stay = frozenset(allowed)
    alive = {
        each
        for each in found.definitions
        if each.qualified in may_stay or re.fullmatch(r"__\w+__", each.name)
    }
    while more := {
        each
        for each in found.definitions
        if each not in alive and any(inside <= alive for inside in found.users(each))
    }:
        alive |= more
    return [
        f"{each.file}:{each.line}: {each.qualified} is used by no tool"
        for each in found.definitions
        if each not in alive
    ]


def needless(found: Found, allowed: Mapping[str, str]) -> list[str]:
    """The entries of the list of allowed names that are used, or no longer defined."""
    return [
        name
        for name in allowed
        if not any(f" {name} is" in line for line in unused(found, {*allowed} - {name}))
    ]
