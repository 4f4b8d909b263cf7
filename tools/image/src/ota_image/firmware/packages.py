# SPDX-License-Identifier: Apache-2.0
"""Takes vendors' firmware from Debian packages, if its licence is accepted."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ota_board.board import Board
from ota_image.cache import make_once
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package
from ota_image.packages.choice import choose_alone
from ota_image.packages.deb import open_deb, verify_file
from ota_image.packages.reach import apt_for
from ota_image.packages.recipe import Recipe
from ota_image.packages.sources import ANY_SOURCE, Source
from ota_image.progress import Say

U_BOOT = "u-boot"
"""The first part of a source that is not a package: the build of U-Boot."""

VARIABLE = "OTA_ACCEPT_LICENCE"
"""Environment variable with the packages whose licence is accepted, separated by spaces."""

LICENCES = {"raspi-firmware": "Broadcom's: to be used with Raspberry Pi devices only"}
"""Packages with a non-free licence, and what it says in short."""

_COMPONENT = "non-free-firmware"


def accepted_licences(options: Sequence[str]) -> frozenset[str]:
    """The packages whose licence the user accepts, by the options and the environment."""
    return frozenset((*options, *os.environ.get(VARIABLE, "").split()))


@dataclass(frozen=True, slots=True)
class Firmware:
    """The firmware of a board that comes from packages.

    Attributes:
        files: by their source, ``<package>/<file>``.
        packages: that have them.
    """

    files: Mapping[str, Path]
    packages: tuple[Package, ...]


def fetch_firmware(
    board: Board,
    recipe: Recipe,
    *,
    source: Source = ANY_SOURCE,
    accepted: Collection[str] = (),
    say: Say = lambda text: None,
) -> Firmware:
    """Download the packages that a board takes firmware from, and unpack them.

    Args:
        recipe: of the image, whose lock has them.

    Raises:
        ImageError: a licence is not accepted, or a package is unknown or lacks a file; or the lock
            does not match and has to.
        ProgramError: the archive cannot be reached.
        OSError: no space in the cache.
    """
    found: dict[str, Path] = {}
    packages = []
    for name in firmware_packages(board):
        if name in LICENCES and name not in accepted:
            raise ImageError(
                f"{board.name}: needs the package {name}, whose licence is {LICENCES[name]};"
                f" accept it with --accept-licence {name} or {VARIABLE}={name}"
            )
        package = choose_alone(
            name,
            recipe,
            board.arch,
            apt=lambda: firmware_root(board.arch, recipe, source, say),
            is_locked=source.is_locked,
            say=say,
        )
        packages.append(package)
        folder = _unpack(package, say)
        for each in board.firmware:
            of, _, file = each.source.partition("/")
            if of == name:
                found[each.source] = folder / file
                if not found[each.source].is_file():
                    raise ImageError(
                        f"{board.name}: {name} {package.version} has no file"
                        f" {_with_likes(file, folder)}; correct firmware.from"
                    )
    return Firmware(found, tuple(packages))


def firmware_packages(board: Board) -> tuple[str, ...]:
    """The names of the packages that a board takes firmware from."""
    return tuple(sorted({each.source.partition("/")[0] for each in board.firmware} - {U_BOOT}))


def firmware_root(arch: str, recipe: Recipe, source: Source, say: Say) -> AptRoot:
    """The archives with the component of firmware.

    Raises:
        ImageError: there is none.
        OSError: the cache cannot be written.
    """
    components = (*recipe.components, _COMPONENT)
    return apt_for(arch, recipe.suite, source, components, say=say)


def _with_likes(file: str, folder: Path) -> str:
    """A file's name, and those of the files that may be meant by it."""
    there = sorted(each.name for each in folder.iterdir())
    likes = get_close_matches(Path(file).name, there)
    return f"{file}, but {', '.join(likes)}" if likes else file


def _unpack(package: Package, say: Say) -> Path:
    """Unpack a package into the cache: its files by their names alone, without folders."""
    with make_once(f"firmware/{package.name}-{package.sha256[:16]}") as (folder, workplace):
        if workplace:
            say(f"unpacking {package.name} {package.version}")
            with open_deb(verify_file(package)) as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isreg() else None
                    if content:
                        (workplace / Path(member.name).name).write_bytes(content.read())
    return folder
