# SPDX-License-Identifier: Apache-2.0
"""Who may import what, found in the source itself."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAY_IMPORT: Mapping[str, frozenset[str]] = {  # beyond the standard library and itself
    "ota_artifact": frozenset({"cryptography", "deflate", "isal", "rich", "zstandard"}),
    "ota_board": frozenset({"yaml"}),
    "ota_image": frozenset({"yaml"}),
    "ota_hil": frozenset(),
    "ota_agent": frozenset({"cryptography", "dbus_fast", "urllib3"}),
}
"""What each package takes from elsewhere; a new package gets its row here."""

ARROWS: Mapping[str, frozenset[str]] = {
    "ota_artifact": frozenset(),
    "ota_board": frozenset(),
    "ota_agent": frozenset({"ota_artifact"}),
    "ota_image": frozenset({"ota_artifact", "ota_board"}),
    "ota_hil": frozenset({"ota_artifact", "ota_board"}),
    "ota_server": frozenset({"ota_artifact"}),
}
"""What of the house each package may use: nobody imports ota_agent, ota_image or ota_server."""

LATE: Mapping[str, frozenset[str]] = {
    "ota_artifact": MAY_IMPORT["ota_artifact"],
    "ota_agent": frozenset({"cryptography", "dbus_fast"}),
}
"""What a package may import inside a function only, so that Python alone can import the package."""

DOOR = "ota_artifact/run.py"
"""The one door to other programs."""

_STARTS_PROGRAMS = ("exec", "fork", "popen", "posix_spawn", "spawn", "startfile", "system")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; ``late`` if a function does it, or only a type checker."""

    line: int
    module: str
    late: bool

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]


def imports(source: str) -> list[Import]:
    """Every absolute import of a file, in the order of the source."""
    return list(_imports(ast.parse(source), late=False))


def _imports(node: ast.AST, *, late: bool) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(node.lineno, alias.name, late) for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            yield Import(node.lineno, module, late)
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=orelse):
            for statement in body:
                yield from _imports(statement, late=True)
            for statement in orelse:
                yield from _imports(statement, late=late)
        case _:
            late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from _imports(child, late=late)


def stray_imports(package: str, name: str, source: str) -> list[str]:
    """What a file of a package may not import, or not at its top level, one line each.

    Args:
        package: such as ``ota_artifact``.
        name: of the file, for the message.
        source: its text.
    """
    if package not in MAY_IMPORT or package not in ARROWS:
        return [f"{name}: {package} has no row in the tables of tests/house/arrows.py"]
    allowed = MAY_IMPORT[package] | ARROWS[package] | {package} | sys.stdlib_module_names
    late = LATE.get(package, frozenset())
    findings = []
    for each in imports(source):
        if each.root not in allowed:
            findings.append(f"{name}:{each.line}: {package} may not import {each.root}")
        elif each.root in late and not each.late:
            findings.append(
                f"{name}:{each.line}: {package} imports {each.root} at the top level; "
                "import it in the function that needs it, so that a device does without"
            )
    return findings


def other_doors(name: str, source: str) -> list[str]:
    """Where a file starts programs by another way than ``run``, one line each."""
    if name.endswith(DOOR):
        return []
    lines = [each.line for each in imports(source) if each.root in ("subprocess", "pty")]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=attribute):
                if attribute.startswith(_STARTS_PROGRAMS):
                    lines.append(node.lineno)
            case ast.Attribute(attr="create_subprocess_exec" | "create_subprocess_shell"):
                lines.append(node.lineno)
    return [f"{name}:{line}: starts programs itself; use {DOOR}" for line in sorted(lines)]
