# SPDX-License-Identifier: Apache-2.0
"""What each package and room may import, checked in the source itself.

`python -m tests.house.arrows` prints the rooms of each package and the arrows between them.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import ROOT, files, place

MAY_IMPORT: Mapping[str, frozenset[str]] = {  # beyond the standard library and itself
    "ota_artifact": frozenset({"cryptography", "deflate", "isal", "rich", "zstandard"}),
    "ota_board": frozenset({"jinja2", "yaml"}),
    "ota_image": frozenset({"jinja2", "packaging", "parted", "yaml"}),
    "ota_hil": frozenset(),
    "ota_agent": frozenset({"cryptography", "dbus_fast", "urllib3"}),
}
"""What each package imports from elsewhere; a new package gets its row here."""

ARROWS: Mapping[str, frozenset[str]] = {
    "ota_artifact": frozenset(),
    "ota_board": frozenset({"ota_artifact"}),
    "ota_agent": frozenset({"ota_artifact"}),
    "ota_image": frozenset({"ota_artifact", "ota_board"}),
    "ota_hil": frozenset({"ota_artifact", "ota_board"}),
    "ota_server": frozenset({"ota_artifact"}),
}
"""Our packages that each one may import; none imports ota_agent, ota_image or ota_server."""

ROOMS: Mapping[str, tuple[str, ...]] = {
    "ota_agent": (
        *("errors", "durable", "small_file", "owners", "address", "retry", "bounds", "hurry"),
        "confined",
        *("lifecycle", "device", "bootloader", "memory", "control", "admission", "payloads"),
        *("download", "trial", "server", "api", "dbus", "config", "engine", "doctor", "cli"),
    ),
    "ota_image": (
        *("errors", "progress", "workfolder", "cache"),
        *("hardware", "packages", "rootfs", "firmware", "disk", "flash", "doctor"),
        *("spdx", "build", "cli"),
    ),
}
"""The rooms of a package, in order: each imports only from itself and from those before it."""

LATE: Mapping[str, frozenset[str]] = {
    "ota_artifact": MAY_IMPORT["ota_artifact"],
    "ota_agent": frozenset({"cryptography", "dbus_fast"}),
    "ota_board": frozenset({"jinja2"}),
    "ota_image": frozenset({"jinja2", "packaging", "parted"}),
}
"""What a package may import only inside a function, so that Python alone can import the package."""

DOOR = "ota_artifact/run.py"
"""The one door to other programs."""

_STARTS_AGAIN = "ota_artifact/start.py"
"""Starts no other program, but our own command, or Python with a module of ours."""

_STARTS_PROGRAMS = ("exec", "fork", "popen", "posix_spawn", "spawn", "startfile", "system")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; ``late`` if only a function or a type checker imports it."""

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
    """Where a file starts programs in another way than by ``run``, one line each."""
    if name.endswith((DOOR, _STARTS_AGAIN)):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One import from one room of a package by another."""

    place: str
    line: int
    user: str
    used: str


def arrows(package: str, name: str, module: str, source: str) -> list[Arrow]:
    """The imports of a file that lead into another room of its package.

    Args:
        package: such as ``ota_agent``.
        name: of the file, for the message.
        module: its dotted name, without the package: ``engine.runtime``.
        source: its text.
    """
    user = module.partition(".")[0]
    found = []
    for each in imports(source):
        root, _, rest = each.module.partition(".")
        for used in _rooms_used(package, rest, each, source) if root == package else ():
            if used != user:
                found.append(Arrow(place=name, line=each.line, user=user, used=used))
    return found


def _rooms_used(package: str, rest: str, each: Import, source: str) -> list[str]:
    """The rooms that one import leads to; `from ota_agent import memory` names its room last."""
    if rest:
        return [rest.partition(".")[0]]
    return [
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == package and node.lineno == each.line
        for alias in node.names
        if alias.name in ROOMS[package]
    ]


def upward(package: str, found: Iterable[Arrow]) -> list[str]:
    """The arrows that lead into a later room, or from or into one without a place, a line each."""
    rank = {room: number for number, room in enumerate(ROOMS[package])}
    findings = []
    for each in found:
        unknown = [room for room in (each.user, each.used) if room not in rank]
        if unknown:
            findings.append(
                f"{each.place}:{each.line}: {package}.{unknown[0]} has no place in ROOMS of"
                " tests/house/arrows.py"
            )
        elif rank[each.used] > rank[each.user]:
            findings.append(
                f"{each.place}:{each.line}: {each.user} imports from {each.used}, a later room"
            )
    return findings


def arrows_of(package: str, folder: Path) -> list[Arrow]:
    """All arrows between the rooms of a package whose source lies in a folder."""
    found = []
    for path in files("*.py", root=folder):
        inside = path.relative_to(folder)
        if inside.name == "__init__.py" and len(inside.parts) == 1:
            continue
        module = ".".join(inside.with_suffix("").parts)
        found += arrows(package, place(path), module, path.read_text(encoding="utf-8"))
    return found


def source_of(package: str) -> Path:
    """The folder with the source of a package."""
    return ROOT / "tools" / package.removeprefix("ota_") / "src" / package


def pictured(package: str, found: Iterable[Arrow]) -> list[str]:
    """A line for each room of a package, in order: its name, and the rooms that it imports from."""
    used: dict[str, set[str]] = {room: set() for room in ROOMS[package]}
    for each in found:
        used.get(each.user, set()).add(each.used)
    return [
        f"{room:<12} {' '.join(each for each in used if each in used[room])}".rstrip()
        for room in used
    ]


def main() -> int:
    """Print the rooms and count the arrows; 1 if one leads upward."""
    is_wrong = False
    for package, rooms in ROOMS.items():
        found = arrows_of(package, source_of(package))
        findings = upward(package, found)
        is_wrong = is_wrong or bool(findings)
        print(f"{package}: {len(rooms)} rooms, {len(found)} arrows, {len(findings)} upward")
        for line in pictured(package, found):
            print(f"  {line}")
        for finding in findings:
            print(f"  {finding}")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
