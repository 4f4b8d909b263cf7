# SPDX-License-Identifier: Apache-2.0
"""Chooses the packages of an image: those of its lock that the archive still has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ota_artifact.errors import ProgramError
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package, download, package_file
from ota_image.packages.lock import IMAGE, Lock, lock_file, lock_text, read_lock
from ota_image.packages.recipe import Recipe
from ota_image.progress import Say

_KERNELS = "linux-image-"
"""Of what a kernel's package depends on we take only kernels: the initrd is ours, without tools."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The packages of a slot, all in the cache.

    Attributes:
        image: those of the recipe.
        kernel: the kernel package that the board names, and the one of its version.
    """

    image: tuple[Package, ...]
    kernel: tuple[Package, ...]


def choose(
    recipe: Recipe, arch: str, kernel: str, *, apt: Callable[[], AptRoot], is_locked: bool, say: Say
) -> Chosen:
    """Choose and download the packages of an image, by its lock if it has one.

    Args:
        kernel: the package of the board's kernel.
        apt: called only if a package is not in the cache.
        is_locked: take exactly the packages of the lock, or fail.

    Raises:
        ImageError: a package is unknown; or the lock does not match and ``is_locked``.
        ProgramError: the archive cannot be reached.
    """
    lock = read_lock(lock_file(recipe, arch))
    if lock and lock.choice != recipe.choice:
        _complain(f"{lock_file(recipe, arch)}: was made for another recipe", is_locked, say)
        lock = None
    groups = {
        name: _group(name, recipe, lock, lock_file(recipe, arch).name, apt, is_locked, say)
        for name in (IMAGE, kernel)
    }
    return Chosen(groups[IMAGE], groups[kernel])


def update_lock(recipe: Recipe, arch: str, kernels: Sequence[str], apt: AptRoot) -> Lock:
    """Choose the newest version of every package, and write the lock.

    Raises:
        ImageError: a package is unknown.
        OSError: the lock cannot be written.
    """
    groups = {name: _newest(name, recipe, apt) for name in (IMAGE, *kernels)}
    lock = Lock(recipe.choice, groups)
    lock_file(recipe, arch).write_text(lock_text(lock), "utf-8")
    return lock


def _group(
    name: str,
    recipe: Recipe,
    lock: Lock | None,
    place: str,
    apt: Callable[[], AptRoot],
    is_locked: bool,
    say: Say,
) -> tuple[Package, ...]:
    locked = lock.groups.get(name) if lock else None
    if locked is None:
        _complain(f"{place}: has no section [{name}]", is_locked, say)
        root = apt()
        packages = _newest(name, recipe, root)
        download(root, packages, say)
        return packages
    absent = [package for package in locked if not package_file(package).exists()]
    if not absent:
        return locked
    root = apt()
    found = _find(absent, root)
    gone = [package for package in absent if found[package] is None]
    if not gone:
        there = tuple(found[package] or package for package in locked if package in found)
        _check_digests(there, locked, place)
        download(root, there, say)
        return locked
    if is_locked:
        names = ", ".join(f"{package.name} {package.version}" for package in gone)
        raise ImageError(
            f"{place}: the archive no longer has {names}; --update-lock takes the newest"
        )
    packages = _replace(name, recipe, locked, gone, root)
    for package in gone:
        newer = [each.version for each in packages if each.name == package.name]
        what = f"{newer[0]} takes its place" if newer else "it is left out"
        say(f"warning: the archive no longer has {package.name} {package.version}; {what}")
    download(root, packages, say)
    return packages


def _find(locked: Sequence[Package], apt: AptRoot) -> dict[Package, Package | None]:
    """Look each package up in the archive, for its URI; None if the archive no longer has it."""
    try:  # all at once is quick, but fails for all if one is gone
        packages = apt.resolve([f"{each.name}={each.version}" for each in locked])
    except (ImageError, ProgramError):
        return {each: apt.find(each.name, each.version) for each in locked}
    there = {(each.name, each.version): each for each in packages}
    return {each: there[each.name, each.version] for each in locked}


def _replace(
    name: str, recipe: Recipe, locked: Sequence[Package], gone: Sequence[Package], apt: AptRoot
) -> tuple[Package, ...]:
    """Choose the newest of what is gone, and keep the other packages if they still fit."""
    kept = [f"{each.name}={each.version}" for each in locked if each not in gone]
    try:
        packages = apt.resolve([*kept, *(each.name for each in gone)])
    except (ProgramError, ImageError):  # a package that stayed needs the one that is gone
        return _newest(name, recipe, apt)
    return _wanted(name, recipe, packages)


def _newest(name: str, recipe: Recipe, apt: AptRoot) -> tuple[Package, ...]:
    return _wanted(name, recipe, apt.resolve(recipe.wanted if name == IMAGE else [name]))


def _wanted(name: str, recipe: Recipe, packages: Sequence[Package]) -> tuple[Package, ...]:
    if name == IMAGE:
        return tuple(each for each in packages if each.name not in recipe.without)
    return tuple(each for each in packages if each.name.startswith(_KERNELS))


def _check_digests(found: Sequence[Package], locked: Sequence[Package], place: str) -> None:
    digests = {each.name: each.sha256 for each in locked}
    for each in found:
        if digests[each.name] != each.sha256:
            raise ImageError(
                f"{place}: {each.name} {each.version}: the archive has another file with this"
                " version; if that is right, run --update-lock"
            )


def _complain(finding: str, is_locked: bool, say: Say) -> None:
    if is_locked:
        raise ImageError(f"{finding}; run --update-lock, or leave out --locked")
    say(f"warning: {finding}; taking the newest packages")
