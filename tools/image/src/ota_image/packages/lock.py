# SPDX-License-Identifier: Apache-2.0
"""The exact packages of an image: ``images/<image>.<arch>.lock``.

The first line is ``choice <digest of what the recipe asks for>``. Then the image and each kernel
have a line ``[<name>]``, followed by their packages, ``<name> <version> <arch> <sha256>`` each.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ota_image.errors import ImageError
from ota_image.packages.apt import Package
from ota_image.packages.recipe import Recipe

IMAGE = "image"
"""The group of the recipe's packages; a kernel's group has the name of its package."""

_HEAD = (
    "# What `ota-image rootfs --update-lock` wrote: packages by name, version, arch and sha256.\n"
)
_LINE = re.compile(r"([a-z0-9][a-z0-9+.-]+) (\S+) ([a-z0-9-]+) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages that were chosen once.

    Attributes:
        choice: of the recipe that they were chosen for.
        groups: packages, by what asked for them.
    """

    choice: str
    groups: Mapping[str, tuple[Package, ...]]


def lock_file(recipe: Recipe, arch: str) -> Path:
    """The path of the lock of a recipe, whether it is there or not."""
    return recipe.path.with_name(f"{recipe.name}.{arch}.lock")


def read_lock(path: Path) -> Lock | None:
    """Read a lock; None if there is no such file.

    Raises:
        ImageError: a line is not a lock entry; with file and line.
    """
    if not path.exists():
        return None
    choice, groups, group = "", dict[str, list[Package]](), ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("choice "):
            choice = line.removeprefix("choice ")
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
    return Lock(choice, {name: tuple(packages) for name, packages in groups.items()})


def lock_text(lock: Lock) -> str:
    """The text of a lock, which `read_lock` reads."""
    lines = [f"choice {lock.choice}"]
    for name in sorted(lock.groups, key=lambda name: (name != IMAGE, name)):
        lines += ["", f"[{name}]"]
        lines += [
            f"{each.name} {each.version} {each.arch} {each.sha256}" for each in lock.groups[name]
        ]
    return _HEAD + "\n".join(lines) + "\n"
