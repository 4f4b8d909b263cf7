# SPDX-License-Identifier: Apache-2.0
"""Mender's own client, from Debian, as an overlay of the minimal image."""

import json
import shutil
import tarfile
from pathlib import Path

from ota_board.load import load_board
from ota_image.packages.apt import AptRoot, Package, download
from ota_image.packages.deb import open_deb, verify_file
from ota_image.packages.lock import lock_file
from ota_image.packages.recipe import Recipe
from ota_image.packages.sources import archives
from tests.house.tree import ROOT

_UNWANTED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "lib/systemd",
    "usr/lib/systemd",
)
"""Files for which the image has no space, or no reader."""


def mender_overlay(name: str, recipe: Recipe, folder: Path) -> tuple[Path, str]:
    """A folder with the client, what it needs beyond the image, and its configuration.

    Returns:
        The folder, and the client's version.
    """
    board = load_board(ROOT / "boards" / name)
    apt = AptRoot(board.arch, archives(recipe.suite))
    lock = lock_file(recipe, board.arch).read_text("utf-8")
    present = {line.split()[0] for line in lock.splitlines() if line and line[0].isalpha()}
    wanted = [each for each in apt.resolve(["mender-client"]) if each.name not in present]
    download(apt, wanted, print)
    for each in wanted:
        _unpack(each, folder)
    slots = {f"RootfsPart{slot}": board.layout.node(slot) for slot in ("A", "B")}
    configuration = folder / "etc" / "mender" / "mender.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(json.dumps(slots))
    (version,) = (each.version for each in wanted if each.name == "mender-client")
    return folder, version


def _unpack(package: Package, folder: Path) -> None:
    with open_deb(verify_file(package)) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if not name or name.startswith(_UNWANTED):
                continue
            target = folder / name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.issym():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(member.linkname)
            elif content := _content(tar, member):
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
                target.chmod(member.mode)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> "tarfile.ExFileObject | None":
    return tar.extractfile(member) if member.isreg() else None  # type: ignore[return-value]
