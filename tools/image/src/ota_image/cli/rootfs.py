# SPDX-License-Identifier: Apache-2.0
"""`rootfs`: make the root filesystem of a slot from Debian packages."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.security_version import parse_number
from ota_board.board import Board
from ota_board.load import all_boards, board_folders, find_board, load_board
from ota_image.build import check_suite
from ota_image.errors import ImageError
from ota_image.firmware.packages import firmware_packages, firmware_root
from ota_image.firmware.u_boot import SOURCE_PACKAGE
from ota_image.packages.apt import Package
from ota_image.packages.choice import newest_alone, update_lock
from ota_image.packages.lock import lock_file, newest_locked
from ota_image.packages.reach import apt_for
from ota_image.packages.recipe import (
    DEFAULT,
    PACKAGED,
    Recipe,
    find_recipe,
    load_recipe,
    load_recipes,
    recipe_folders,
)
from ota_image.packages.source import group_name, newest_source
from ota_image.packages.sources import VARIABLE, Source
from ota_image.rootfs.access import check_trust
from ota_image.rootfs.agent import check_wheels, own_wheels
from ota_image.rootfs.settings import (
    Settings,
    read_certificate,
    read_ssh_keys,
    read_users,
    read_verify_key,
)
from ota_image.rootfs.slot import Slot, make_slot
from ota_image.rootfs.wheel import Wheel, read_wheel
from ota_image.workfolder import own_folder

_EXAMPLE = """\
examples:
  ota-image rootfs qemu-arm64
  ota-image rootfs qemu-arm64 --ssh-key ~/.ssh/id_ed25519.pub --overlay ./mine --release 1.2
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `rootfs`."""
    parser = sub.add_parser(
        "rootfs",
        help="make the root filesystem of a slot from Debian packages",
        description="Makes the root filesystem of a slot from Debian packages: an ext4 image of the"
        " size of the board's slots, with kernel, initrd and device trees in its /boot. Does not"
        " need root. The same packages and options always give the same bytes; downloads and"
        " results are cached.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument(
        "--output", metavar="FILE", help="default: build/BOARD/IMAGE-BOARD-RELEASE.ext4"
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide what is in a root filesystem."""
    add_recipe(parser)
    parser.add_argument(
        "--release", metavar="R", default="", help="default: the version and a hash of the inputs"
    )
    parser.add_argument(
        "--security-version",
        metavar="N",
        help="number below which a device that has committed this release never goes back",
    )
    parser.add_argument(
        "--overlay",
        metavar="DIR",
        action="append",
        default=[],
        help="add the files of this folder, as root's; they replace others (repeatable)",
    )
    parser.add_argument(
        "--ssh-key",
        metavar="FILE",
        action="append",
        default=[],
        help="let the owner of this public key log in, and disable passwords (repeatable)",
    )
    parser.add_argument(
        "--user",
        metavar="NAME[:UID]",
        action="append",
        default=[],
        help="add this user, who logs in with the same keys as root (repeatable)",
    )
    parser.add_argument(
        "--agent-wheel",
        metavar="FILE",
        action="append",
        default=[],
        help="a wheel of ota-agent or ota-artifact, instead of our own (give it once for each)",
    )
    parser.add_argument("--without-agent", action="store_true", help="leave the agent out")
    parser.add_argument(
        "--verify-key",
        metavar="PEM",
        action="append",
        default=[],
        help="the device installs only artifacts that are signed with this public key, or with one"
        " of several (repeatable)",
    )
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="let a device with a server install artifacts from anyone; for a bench only",
    )
    parser.add_argument(
        "--open-login",
        action="store_true",
        help="let root log in without a password; for a bench only. A recipe with `login: open`"
        " does that by itself on QEMU's boards, without key and server",
    )
    parser.add_argument("--server", metavar="URL", default="", help="address of the fleet server")
    parser.add_argument(
        "--server-cert", metavar="FILE", help="its certificate, unless a known authority signed it"
    )
    add_mirrors(parser)
    parser.add_argument(
        "--update-lock",
        action="store_true",
        help="first write the newest versions of all packages into the image's lock",
    )


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a recipe and its suite."""
    parser.add_argument(
        "--image",
        metavar="NAME",
        default=DEFAULT,
        help="the recipe: a name, or a path with a '/' to its file (default: %(default)s)",
    )
    parser.add_argument("--images", metavar="DIR", help="look for recipes here first")
    parser.add_argument(
        "--suite",
        metavar="NAME",
        default="",
        help="the Debian release, such as bookworm or trixie (default: the newest that has a lock)",
    )


def add_mirrors(parser: argparse.ArgumentParser) -> None:
    """Add the options for where packages and sources come from."""
    parser.add_argument(
        "--mirror",
        metavar="URL",
        action="append",
        default=[],
        help="a Debian archive, 'URL [SUITE [COMPONENT...]]', instead of those that this machine's"
        " apt knows; without SUITE, security updates come from …/debian-security next to …/debian"
        f" (repeatable; default: ${VARIABLE}, separated by semicolons, or the lines of"
        " ~/.config/ota-kit/mirrors)",
    )
    parser.add_argument(
        "--locked",
        action="store_true",
        help="fail if the archive lacks a package of the lock, instead of taking the newest, or if"
        " a list of packages cannot be fetched",
    )
    parser.add_argument(
        "--trust-unsigned",
        action="store_true",
        help="take over what this machine's apt says of archives whose lists are unsigned or old"
        " (trusted, allow-insecure, check-valid-until, …); the list of software names it",
    )


def recipe_of(args: argparse.Namespace, board: Board) -> Recipe:
    """The recipe that the options name, for their suite or the newest that has a lock.

    Raises:
        ImageError: there is no such recipe, or it is not for that suite.
        BoardError: it is wrong.
    """
    path = find_recipe(args.image, recipe_folders(args.images))
    if args.suite:
        return load_recipe(path, args.suite)
    return newest_locked(load_recipes(path), board.arch)


def settings_of(args: argparse.Namespace) -> Settings:
    """What the options add to a root filesystem.

    Raises:
        ImageError: an option is wrong.
        OSError: a file cannot be read.
    """
    if args.server and not args.server.startswith("https://"):
        raise ImageError(f"--server {args.server!r}: must be an address with https://")
    if args.server_cert and not args.server:
        raise ImageError("--server-cert: needs --server, whose certificate it is")
    if args.user and not args.ssh_key:
        raise ImageError("--user: needs --ssh-key, since users log in with a key")
    if any(character.isspace() or character in "/'\"" for character in args.release):
        raise ImageError(f"--release {args.release!r}: must not have spaces, slashes or quotes")
    number = args.security_version
    return Settings(
        release=args.release,
        security_version=None if number is None else parse_number(number, "--security-version"),
        ssh_keys=tuple(key for name in args.ssh_key for key in read_ssh_keys(Path(name))),
        users=read_users(args.user),
        server=args.server,
        certificate=read_certificate(Path(args.server_cert)) if args.server_cert else "",
        overlays=tuple(Path(name) for name in args.overlay),
        wheels=_wheels(args),
        verify_keys=tuple(dict.fromkeys(read_verify_key(Path(each)) for each in args.verify_key)),
        is_unsigned=args.unsigned,
        is_open=args.open_login,
    )


def _wheels(args: argparse.Namespace) -> tuple[Wheel, ...]:
    if args.without_agent and args.agent_wheel:
        raise ImageError("--without-agent: contradicts --agent-wheel; leave one of them out")
    if args.without_agent:
        return ()
    if args.agent_wheel:
        return check_wheels([read_wheel(Path(name)) for name in args.agent_wheel])
    return own_wheels()


def source_of(args: argparse.Namespace) -> Source:
    """Where packages come from, by the options."""
    return Source(tuple(args.mirror), args.locked, args.trust_unsigned)


def _run(args: argparse.Namespace) -> int:
    folders = list(board_folders(args.boards))
    board = load_board(find_board(args.board, folders))
    recipe, settings, source = recipe_of(args, board), settings_of(args), source_of(args)
    check_trust(settings)
    update_lock_if_asked(args, recipe, board)
    slot = _make(board, recipe, settings, source, args.output)
    if args.json:
        print(json.dumps(_facts(slot), indent=1))
    else:
        print(slot.path)
    return 0


def _make(
    board: Board, recipe: Recipe, settings: Settings, source: Source, output: str | None
) -> Slot:
    """Make the slot. By default the release is part of its name, which is known only at the end."""
    if output:
        return make_slot(board, recipe, settings, Path(output), source=source, progress=_say)
    folder = Path("build", board.name)
    folder.mkdir(parents=True, exist_ok=True)
    if settings.release:  # otherwise a hash of all inputs
        check_suite(folder / f"{recipe.name}-{board.name}-{settings.release}.ext4", recipe.suite)
    with own_folder(folder) as place:  # another one may run in the same folder
        part = place / "rootfs.ext4"
        slot = make_slot(board, recipe, settings, part, source=source, progress=_say)
        return slot.move(folder / f"{recipe.name}-{board.name}-{slot.release}.ext4")


def update_lock_if_asked(args: argparse.Namespace, recipe: Recipe, board: Board) -> None:
    """Write the lock of a board's architecture, with the kernels of all boards that have it.

    Raises:
        ImageError: a package is unknown.
        BoardError: a board is wrong.
        ProgramError: the archive cannot be reached.
        OSError: the lock cannot be written.
    """
    if not args.update_lock:
        return
    boards = [load_board(path) for path in all_boards(list(board_folders(args.boards)))]
    source = source_of(args)
    boards = [each for each in (board, *boards) if each.arch == board.arch]
    kernels = sorted({each.kernel.package for each in boards})
    root = apt_for(board.arch, recipe.suite, source, recipe.components, say=_say)
    others = _others(boards, recipe, source)
    update_lock(recipe, board.arch, kernels, root, others=others, say=_say)
    _say(f"wrote {lock_file(recipe, board.arch)}")
    if recipe.path.parent == PACKAGED:
        _say(
            f"warning: {PACKAGED}: the next version of ota-image replaces this lock; to keep it,"
            " copy that folder to ./images, which is looked at first"
        )


def _others(
    boards: Sequence[Board], recipe: Recipe, source: Source
) -> dict[str, tuple[Package, ...]]:
    """The newest firmware of boards of one architecture, and U-Boot's source, for a lock."""
    found: dict[str, tuple[Package, ...]] = {}
    for name in sorted({name for each in boards for name in firmware_packages(each)}):
        root = firmware_root(boards[0].arch, recipe, source, _say)
        found[name] = (newest_alone(name, root),)
    if any(each.bootloader.kind == "u-boot" for each in boards):
        package = newest_source(SOURCE_PACKAGE, recipe.suite, source, _say)
        found[group_name(SOURCE_PACKAGE)] = (package,)
    return found


def _facts(slot: Slot) -> dict[str, object]:
    return {
        "path": str(slot.path),
        "sha256": slot.sha256,
        "release": slot.release,
        "time": slot.time,
        "packages": [
            {"name": each.name, "version": each.version, "arch": each.arch, "sha256": each.sha256}
            for each in slot.packages
        ],
        "wheels": [
            {"name": each.name, "version": each.version, "sha256": each.sha256}
            for each in slot.wheels
        ],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
