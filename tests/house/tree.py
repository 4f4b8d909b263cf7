# SPDX-License-Identifier: Apache-2.0
"""The files of this project, as the house rules see them."""

import fnmatch
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool, as its pyproject.toml describes it."""

    path: Path
    version: str
    commands: tuple[tuple[str, str], ...]
    """Pairs of command name and module that holds its parser, which the installed script runs."""
    requirements: tuple[str, ...]
    """All of them, those of the extras too; other tools of the tree are not among them."""

    @property
    def package(self) -> str:
        return f"ota_{self.path.parent.name}"


def files(pattern: str = "*", *, root: Path = ROOT) -> Iterator[Path]:
    """Every file whose name matches, in a fixed order, without those that git ignores."""
    ignored = {".git", *_ignored_directories(root / ".gitignore")}
    for directory, subdirectories, names in os.walk(root):
        subdirectories[:] = sorted(set(subdirectories) - ignored)
        for name in sorted(fnmatch.filter(names, pattern)):
            yield Path(directory, name)


def _ignored_directories(gitignore: Path) -> set[str]:
    lines = gitignore.read_text(encoding="utf-8").splitlines() if gitignore.exists() else []
    return {line.strip("/") for line in lines if line.endswith("/")}


def tools(root: Path = ROOT) -> tuple[Tool, ...]:
    """Every tool of tools/."""
    return tuple(_tool(path) for path in sorted(root.glob("tools/*/pyproject.toml")))


def _tool(path: Path) -> Tool:
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    scripts: dict[str, str] = project.get("scripts", {})
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    return Tool(
        path=path,
        version=project["version"],
        commands=tuple(
            (name, f"{entry.partition(':')[0]}.main") for name, entry in scripts.items()
        ),
        requirements=tuple(
            each
            for group in (project.get("dependencies", ()), *extras.values())
            for each in group
            if not each.startswith("ota-")
        ),
    )


def place(path: Path, root: Path = ROOT) -> str:
    """A path as a message shows it: from the top of the tree."""
    return path.relative_to(root).as_posix()
