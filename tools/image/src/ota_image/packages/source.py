# SPDX-License-Identifier: Apache-2.0
"""Takes Debian source packages, unpacked, into the cache."""

import re
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import cache_folder, make_once
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package, SourceFile
from ota_image.packages.choice import (
    check_newer,
    check_reached,
    complain,
    gone_text,
    locked_packages,
)
from ota_image.packages.lock import SOURCE, lock_file
from ota_image.packages.reach import apt_for
from ota_image.packages.recipe import Recipe
from ota_image.packages.sources import Source, host_arch
from ota_image.progress import Say


def locked_source(
    name: str, recipe: Recipe, arch: str, source: Source, say: Say
) -> tuple[Package, Path]:
    """A source package of the lock of an image, and its unpacked tree in the cache.

    Args:
        arch: of the board, whose lock it is.

    Raises:
        ImageError: the lock does not match and has to, or there is no archive or package.
        ProgramError: the archive cannot be reached, or dpkg-source fails.
        OSError: no space.
    """
    place = lock_file(recipe, arch).name
    groups = locked_packages(group_name(name), recipe, arch)
    if groups and (folder := cache_folder() / _folder(name, groups[0].sha256)).is_dir():
        return groups[0], folder / "tree"
    if groups is None:
        complain(f"{place}: has no section [{group_name(name)}]", source.is_locked, say)
    apt = _root(recipe.suite, source, say)
    files = _files(name, groups[0], apt) if groups else None
    if files is None:
        if groups:
            check_reached(place, groups, apt)
            if source.is_locked:
                raise ImageError(gone_text(place, groups))
        files = apt.source(name)
    package = package_of(name, files)
    if groups and package.version == groups[0].version:
        if package.sha256 != groups[0].sha256:
            raise ImageError(
                f"{place}: {name} {package.version}: the archive has another source package with"
                " this version; if that is right, run --update-lock"
            )
    elif groups:
        check_newer([package], groups, place, recipe.suite)
        say(
            f"warning: the archive no longer has the source package {name} {groups[0].version};"
            f" {package.version} takes its place"
        )
    return package, _unpack(apt, name, files, say) / "tree"


def newest_source(name: str, suite: str, source: Source, say: Say) -> Package:
    """The newest version of a source package, as a lock has it.

    Raises:
        ImageError: there is no archive, or no such package.
        ProgramError: the archive cannot be reached.
    """
    return package_of(name, _root(suite, source, say).source(name))


def group_name(name: str) -> str:
    """The group of a source package in a lock."""
    return f"{SOURCE} {name}"


def package_of(name: str, files: Sequence[SourceFile]) -> Package:
    """A source package by its files; the version is that of the .dsc, which lacks an epoch."""
    description = _description(files)
    version = description.name.removeprefix(f"{name}_").removesuffix(".dsc")
    return Package(name=name, version=version, arch=SOURCE, sha256=description.sha256)


def _root(suite: str, source: Source, say: Say) -> AptRoot:
    return apt_for(host_arch(), suite, source, kind="deb-src", say=say)


def _files(name: str, package: Package, apt: AptRoot) -> tuple[SourceFile, ...] | None:
    try:
        return apt.source(f"{name}={package.version}")
    except ImageError:
        return None


def _description(files: Sequence[SourceFile]) -> SourceFile:
    return next(each for each in files if each.name.endswith(".dsc"))


def _folder(name: str, sha256: str) -> str:
    return f"source/{name}-{sha256[:16]}"


def _unpack(apt: AptRoot, name: str, files: Sequence[SourceFile], say: Say) -> Path:
    description = _description(files)
    with make_once(_folder(name, description.sha256)) as (folder, workplace):
        if workplace:
            say(f"downloading the source of {name}, {sum(f.size for f in files) / 1e6:.1f} MB")
            content = [each for each in files if each != description]
            apt.fetch({workplace / each.name: (each.uri, each.sha256) for each in content})
            dsc = workplace / description.name
            dsc.write_text(_as_dsc(apt.describe_source(name, description)), "utf-8")
            argv = ("dpkg-source", "--no-check", "-x", dsc, workplace / "tree")
            run(argv, timeout=600, environment={"LC_ALL": "C.UTF-8"})
            for each in files:
                (workplace / each.name).unlink()
    return folder


def _as_dsc(stanza: str) -> str:
    """A .dsc from what the index says, which is signed too; some mirrors lack the .dsc itself.

    Source: dsc(5); Debian repository format, "Sources Indices".
    """
    text = re.sub(r"^Package:", "Source:", stanza, flags=re.MULTILINE)
    return re.sub(r"^ \S+ \d+ \S+\.dsc\n", "", text, flags=re.MULTILINE)
