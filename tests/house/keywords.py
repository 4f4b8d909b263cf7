# SPDX-License-Identifier: Apache-2.0
"""Which dataclasses take their fields by position, though they have too many for that."""

import ast
from collections.abc import Iterator

MOST_BY_POSITION = 3
"""Fields of a dataclass that a reader tells apart by position."""


def positional(name: str, source: str) -> Iterator[str]:
    """Dataclasses with more fields than that and without ``kw_only``, one line each.

    Args:
        name: of the file, for the message.
        source: its text.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and _takes_positions(node):
            count = sum(_is_field(each) for each in node.body)
            if count > MOST_BY_POSITION:
                yield f"{name}:{node.lineno}: {node.name} has {count} fields; give it kw_only=True"


def _takes_positions(node: ast.ClassDef) -> bool:
    """Whether it is a dataclass without ``kw_only=True``."""
    for decorator in node.decorator_list:
        match decorator:
            case ast.Name(id="dataclass"):
                return True
            case ast.Call(func=ast.Name(id="dataclass"), keywords=keywords):
                return not any(each.arg == "kw_only" for each in keywords)
    return False


def _is_field(node: ast.stmt) -> bool:
    """Whether a statement of a class is a field that its constructor takes."""
    if not isinstance(node, ast.AnnAssign):
        return False
    value = ast.unparse(node.value) if node.value else ""
    return "ClassVar" not in ast.unparse(node.annotation) and "init=False" not in value
