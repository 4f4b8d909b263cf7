# SPDX-License-Identifier: Apache-2.0
"""Entries under ``Args:`` and ``Attributes:`` that name no parameter and no field."""

import ast
import inspect
import re
from collections.abc import Iterator

_ENTRY = re.compile(r" {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):( |$)")


def stale_entries(file: str, source: str) -> Iterator[str]:
    """Such entries, one line each.

    Args:
        file: its name, for the message.
        source: its text.
    """
    tree = ast.parse(source)
    classes = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)}
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                known = {
                    "Attributes": _members(node, classes),
                    "Args": _members(node, classes) | _constructor(node),
                }
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                known = {"Attributes": set[str](), "Args": _parameters(node)}
            case _:
                continue
        for section, name in _entries(ast.get_docstring(node) or ""):
            if name.lstrip("*") not in known[section]:
                yield f"{file}:{node.lineno}: {section} of {node.name} names {name}, which it lacks"


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Section and name of each entry."""
    section = ""
    for line in inspect.cleandoc(text).splitlines():
        if found := re.fullmatch(r"(Args|Attributes):", line):
            section = found[1]
        elif line and not line.startswith(" "):
            section = ""
        elif section and (entry := _ENTRY.match(line)):
            yield from ((section, name) for name in entry[1].split(", "))


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}


def _constructor(node: ast.ClassDef) -> set[str]:
    found = (each for each in node.body if isinstance(each, ast.FunctionDef))
    return set().union(*(_parameters(each) for each in found if each.name == "__init__"))


def _members(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    """The fields, methods and attributes of a class and of its bases in the same file."""
    names = set()
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            names |= _members(classes[base.id], classes)
    for statement in node.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
    for each in ast.walk(node):
        match each:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
    return names
