# SPDX-License-Identifier: Apache-2.0
"""`u-boot`: build U-Boot for a board."""

import argparse
import shutil
import sys
from pathlib import Path

from ota_board.load import board_folders, find_board, load_board
from ota_image.cli.rootfs import add_mirrors, add_recipe, recipe_of, source_of
from ota_image.firmware.u_boot import u_boot_of

_EXAMPLE = """\
examples:
  ota-image u-boot qemu-arm64
  ota-image u-boot beaglebone-black --u-boot ../u-boot --output build/beaglebone-black
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `u-boot`."""
    parser = sub.add_parser(
        "u-boot",
        help="build U-Boot for a board",
        description="Builds U-Boot with the boot logic and the environment of a board, from"
        " Debian's source package or any tree; the result is cached.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument(
        "--u-boot", metavar="DIR", help="a source tree of U-Boot (default: Debian's source package)"
    )
    parser.add_argument(
        "--output", metavar="DIR", help="copy the files there (default: print where they are)"
    )
    add_recipe(parser)
    add_mirrors(parser)


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board = load_board(folder)
    tree = Path(args.u_boot) if args.u_boot else None
    recipe = recipe_of(args, board)
    built = u_boot_of(board, folder, tree, _say, recipe=recipe, source=source_of(args))
    if args.output:
        shutil.copytree(built.folder, args.output, dirs_exist_ok=True)
    print(args.output or built.folder)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
