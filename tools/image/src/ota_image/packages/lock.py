# SPDX-License-Identifier: Apache-2.0
"""The exact packages of an image: ``images/<image>.<suite>.<arch>.lock``.

The first lines are ``choice <digest of what the recipe asks for>`` and ``made <date>``. Then the
image, each kernel, each package of firmware and each source package have a line ``[<name>]``,
followed by their packages, ``<name> <version> <arch> <sha256>`` each. The digest of a source
package is that of its ``.dsc``, which has the digests of its files.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ota_artifact.own_text import read_text
from ota_image.errors import ImageError
from ota_image.packages.apt import Package
from ota_image.packages.recipe import (
    DEFAULT,
    Recipe,
    find_recipe,
    load_recipes,
    recipe_folders,
)

IMAGE = "image"
"""The group of the recipe's packages; a kernel's group has the name of its package."""

SOURCE = "source"
"""What source packages have for an architecture; the name of their groups begins with it too."""

_HEAD = (
    "# What `ota-image build --update-lock` wrote: packages by name, version, arch and sha256.\n"
)
_LINE = re.compile(r"([a-z0-9][a-z0-9+.-]+) (\S+) ([a-z0-9-]+) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages that were chosen once.

    Attributes:
        choice: of the recipe that they were chosen for.
        groups: packages, by what asked for them.
        made: when they were the newest; None if unknown.
    """

    choice: str
    groups: Mapping[str, tuple[Package, ...]]
    made: date | None = None


def lock_file(recipe: Recipe, arch: str) -> Path:
    """The path of the lock of a recipe, whether it is there or not."""
    return recipe.path.with_name(f"{recipe.name}.{recipe.suite}.{arch}.lock")


def newest_locked(recipes: Sequence[Recipe], arch: str) -> Recipe:
    """Of a recipe for several suites, the newest that has a lock; without locks, the newest."""
    locked = [each for each in recipes if lock_file(each, arch).is_file()]
    return (locked or recipes)[-1]


def default_recipe(arch: str) -> Recipe:
    """The recipe that is built without an option.

    Raises:
        ImageError: there is none.
        BoardError: it is wrong.
    """
    return newest_locked(load_recipes(find_recipe(DEFAULT, recipe_folders())), arch)


def read_lock(path: Path) -> Lock | None:
    """Read a lock; None if there is no such file.

    Raises:
        ImageError: a line is not a lock entry; with file and line.
    """
    if not path.exists():
        return None
    choice, made, groups, group = "", None, dict[str, list[Package]](), ""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("choice "):
            choice = line.removeprefix("choice ")
        elif found := _date(line):
            made = found
        elif line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
            groups[group] = []
        elif (match := _LINE.fullmatch(line)) and group:
            groups[group].append(
                Package(name=match[1], version=match[2], arch=match[3], sha256=match[4])
            )
        else:
            raise ImageError(
                f"{path}:{number}: {line!r} is not a lock entry; write the lock again with"
                " --update-lock"
            )
    return Lock(choice, {name: tuple(packages) for name, packages in groups.items()}, made)


def _date(line: str) -> date | None:
    word, _, text = line.partition(" ")
    try:
        return date.fromisoformat(text) if word == "made" else None
    except ValueError:
        return None


def lock_text(lock: Lock) -> str:
    """The text of a lock, which `read_lock` reads."""
    lines = [f"choice {lock.choice}", *([f"made {lock.made}"] if lock.made else [])]
    for name in sorted(lock.groups, key=lambda name: (name != IMAGE, name)):
        lines += ["", f"[{name}]"]
        lines += [
            f"{each.name} {each.version} {each.arch} {each.sha256}" for each in lock.groups[name]
        ]
    return _HEAD + "\n".join(lines) + "\n"
