# SPDX-License-Identifier: Apache-2.0
"""Images to boot, as `ota-image build` makes them, with a key that lets the tests in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.run import run
from ota_board.board import Board
from ota_board.load import load_board
from ota_image.build import Built, build
from ota_image.cache import make_once
from ota_image.firmware.machine import machine_firmware
from ota_image.firmware.packages import LICENCES
from ota_image.packages.recipe import Recipe, find_recipe, load_recipe, recipe_folders
from ota_image.rootfs.agent import tree_wheels
from ota_image.rootfs.settings import Settings, read_ssh_keys
from tests.house.tree import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image to boot.

    Attributes:
        firmware: what QEMU starts.
        key: the private key that the image lets in.
    """

    board: Board
    built: Built
    firmware: Path
    key: Path


def ssh_key() -> Path:
    """A private SSH key; always the same, so that the images are the same too."""
    with make_once("test-ssh-key") as (folder, workplace):
        if workplace:
            file = str(workplace / "key")
            run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file), timeout=30)
    return folder / "key"


def minimal(suite: str = "") -> Recipe:
    """The recipe of the minimal image, by default for the newest suite."""
    return load_recipe(find_recipe("minimal", recipe_folders(None)), suite)


def image_of(
    name: str,
    output: Path,
    *,
    suite: str = "",
    overlays: tuple[Path, ...] = (),
    say: Callable[[str], None] = print,
) -> Image:
    """The minimal image of a board, without firmware whose licence a user must accept.

    QEMU starts U-Boot itself, so the tests need no vendor's firmware.
    """
    folder = ROOT / "boards" / name
    board = load_board(folder)
    own = (each for each in board.firmware if each.source.partition("/")[0] not in LICENCES)
    board = replace(board, firmware=tuple(own))
    recipe = minimal(suite)
    key = ssh_key()
    keys = read_ssh_keys(key.with_suffix(".pub"))
    settings = Settings(ssh_keys=keys, overlays=overlays, wheels=tree_wheels())
    built = build(board, folder, recipe, settings, output, say=say)
    firmware = machine_firmware(board, folder, recipe=recipe, say=say)
    return Image(board=board, built=built, firmware=firmware, key=key)
