# SPDX-License-Identifier: Apache-2.0
"""`run`: boot a board's image in QEMU."""

import argparse
import os
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.hold import hold
from ota_artifact.run import run, run_attached
from ota_board.board import Board
from ota_board.load import board_folders, find_board, load_board
from ota_board.qemu import arguments, machine_of
from ota_image.build import newest_image
from ota_image.cli.rootfs import add_mirrors, source_of
from ota_image.disk.slot import filled_slots
from ota_image.errors import ImageError, WorldError
from ota_image.firmware.machine import machine_firmware
from ota_image.packages.lock import default_recipe
from ota_image.packages.recipe import Recipe, find_recipe, load_recipe, recipe_folders

_EXAMPLE = """\
example:
  ota-image run qemu-arm64
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run`."""
    parser = sub.add_parser(
        "run",
        help="boot a board's image in QEMU, on a working copy",
        description="Boots the newest image of a board in QEMU, with its console on this terminal"
        " and its SSH on a port of this machine. The image is not changed: the board writes to a"
        " copy, which is deleted at the end. Leave with Ctrl-A x.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument("--disk", metavar="FILE", help="boot this image (default: the newest)")
    parser.add_argument(
        "--keep", action="store_true", help="write to the image itself, not to a copy"
    )
    parser.add_argument(
        "--ssh-port",
        type=_port,
        default=8022,
        metavar="PORT",
        help="of this machine, which leads to the board's SSH (default: %(default)s)",
    )
    parser.add_argument("--u-boot", metavar="DIR", help="a source tree of U-Boot")
    parser.add_argument(
        "--suite",
        metavar="NAME",
        default="",
        help="the Debian release whose U-Boot starts it (default: the image's)",
    )
    add_mirrors(parser)


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board = load_board(folder)
    machine_of(board)  # before compiling a U-Boot that nothing can start
    image = Path(args.disk) if args.disk else newest_image(board, Path("build") / board.name)
    if not image.is_file():
        raise ImageError(f"{image}: no such image")
    _require_free(args.ssh_port)
    tree = Path(args.u_boot) if args.u_boot else None
    with ExitStack() as stack:
        disk = image
        if args.keep:
            remedy = "wait until it has ended, or boot another image with --disk"
            stack.enter_context(hold(image, remedy=remedy))
        firmware = machine_firmware(
            board,
            folder,
            u_boot_tree=tree,
            recipe=_recipe_of(image, board, args.suite),
            source=source_of(args),
            say=_say,
        )
        if not args.keep:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="ota-run-"))
            disk = Path(place) / "disk.sdimg"
            _copy(image, disk)
        argv = arguments(board, disk, firmware, ssh_port=args.ssh_port)
        _say(f"{image}: SSH is on port {args.ssh_port}; leave with Ctrl-A x")
        return run_attached([*argv, "-serial", "mon:stdio"])


def _recipe_of(image: Path, board: Board, suite: str) -> Recipe:
    """The recipe of what is in the slots of an image; of another one, the default."""
    folders = recipe_folders()
    for slot in filled_slots(image):
        with suppress(ImageError):
            return load_recipe(find_recipe(slot.recipe, folders), suite or slot.suite)
    found = default_recipe(board.arch)
    return load_recipe(found.path, suite) if suite else found


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give one from 1 to 65535")
    return int(text)


def _require_free(port: int) -> None:
    """Fail if QEMU could not listen on a port: it would say so in its own words, and late."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise WorldError(
            f"port {port} of this machine: {why}; name another with --ssh-port"
        ) from error


def _copy(image: Path, disk: Path) -> None:
    """Copy an image that no board is writing to, or the copy would be torn."""
    with hold(image, remedy="wait until it has ended", is_shared=True):
        try:
            words = ("cp", "--sparse=always", "--reflink=auto", "--", image, disk)
            run(words, timeout=600, environment={"LC_ALL": "C"})
        except ProgramError as error:
            if "No space left" not in str(error):
                raise
            raise WorldError(
                f"{disk.parent.parent}: has no space for a copy of {image}; set TMPDIR to a larger"
                " place, or boot the image itself with --keep"
            ) from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
