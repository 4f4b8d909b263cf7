# SPDX-License-Identifier: Apache-2.0
"""The logins of a device, and the artifacts that it trusts: what a build decides and says."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace

from ota_artifact.device_files import AGENT_TOML
from ota_board.board import Board
from ota_image.errors import ImageError
from ota_image.packages.recipe import Recipe
from ota_image.rootfs.settings import Settings
from ota_image.rootfs.tree import Tree

_CRYPTOGRAPHY = "/usr/lib/python3/dist-packages/cryptography/__init__.py"


def with_login(board: Board, recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe with the login that its image gets.

    A recipe can open the login only of an image to play with: the board exists only in QEMU, and
    there is neither a server nor a key. For any other image the user has to ask for it.
    """
    is_toy = board.storage.grows and not settings.server and not settings.verify_keys
    is_open = settings.is_open or (recipe.login == "open" and is_toy)
    return replace(recipe, login="open" if is_open else "keys")


def check_trust(settings: Settings) -> None:
    """Check that a device with a server knows which artifacts to trust.

    Raises:
        ImageError: it does not, and the user has not asked for that.
    """
    if settings.is_unsigned and settings.verify_keys:
        raise ImageError("--unsigned: contradicts --key and --verify-key; leave one of them out")
    if settings.server and not settings.verify_keys and not settings.is_unsigned:
        raise ImageError(
            f"--server {settings.server}: without a key, the device would install whatever the"
            " server, or anyone in its place, sends; give --key PEM, which also signs the artifact,"
            " or --verify-key PEM, or on a bench --unsigned"
        )


def remarks(board: Board, recipe: Recipe, settings: Settings) -> Iterator[str]:
    """What a user should know of who can log in, and whose artifacts are installed."""
    yield from _login(board, recipe, settings)
    if settings.wheels and not settings.verify_keys:
        yield (
            "warning: without a key, the device installs updates from anyone; give --key PEM, which"
            " signs the artifact, and lets the device refuse all others"
        )


def _login(board: Board, recipe: Recipe, settings: Settings) -> Iterator[str]:
    if with_login(board, recipe, settings).login == "open":
        where = "on the console" if settings.ssh_keys else "on the console and by SSH"
        place = "--open-login" if settings.is_open else f"{recipe.path}: login: open"
        yield f"warning: {place}: root can log in {where} without a password"
        return
    ignored = ""
    if recipe.login == "open":
        ignored = f"{recipe.path}: login: open is only for QEMU's boards without key and server: "
    if settings.ssh_keys:
        if ignored:
            yield f"{ignored}only the owners of --ssh-key can log in, by SSH"
    else:
        yield (
            f"warning: {ignored}nobody can log in, neither on the console nor by SSH; give"
            " --ssh-key FILE, or on a bench --open-login"
        )


def check_keys(tree: Tree, settings: Settings) -> None:
    """Check that the agent in a root filesystem knows every key, and can use it.

    Raises:
        ImageError: an overlay has replaced its settings, or they are not TOML; or a package is
            missing.
    """
    if not settings.verify_keys or not settings.wheels:
        return
    if _CRYPTOGRAPHY not in tree:
        raise ImageError(
            f"{_CRYPTOGRAPHY}: is missing, and without it the device cannot check a signature; add"
            " python3-cryptography to the recipe's packages"
        )
    try:
        found = tomllib.loads(tree.text(AGENT_TOML)).get("keys", {}).get("keys", [])
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise ImageError(f"{AGENT_TOML}: of an overlay: is not usable: {error}") from error
    paths = [each.partition(",")[0].strip() for each in found if isinstance(each, str)]
    named = {tree.text(path).strip() for path in paths if path in tree}
    for key in settings.verify_keys:
        if key.pem.strip() not in named:
            raise ImageError(
                f"{AGENT_TOML}: of an overlay: its [keys] keys lacks the key {key.name} of the"
                " build, so that the device would refuse the artifact or take any; add the file"
                f" with the key, or leave {AGENT_TOML} out of the overlay"
            )
