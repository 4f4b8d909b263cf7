# SPDX-License-Identifier: Apache-2.0
"""`env get`, `set` and `repair`: the bootloader's environment on an image."""

import argparse
import json
from pathlib import Path

from ota_artifact.image.roles import RULE
from ota_image.errors import ImageError

_GET = """\
examples:
  ota-image env get my.sdimg
  ota-image env get my.sdimg mender_boot_part upgrade_available
"""
_SET = """\
example:
  ota-image env set my.sdimg mender_boot_part=3 mender_boot_part_hex=3 upgrade_available=1
"""


_REPAIR = """\
example:
  ota-image env repair my.sdimg qemu-x86-64 --slot B
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `env` with its two commands."""
    parser = sub.add_parser(
        "env", help="read or change the bootloader's environment on an image", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="env", metavar="command")
    get = commands.add_parser(
        "get",
        help="print variables as the bootloader will read them",
        description="Prints all variables, or some, of the copy that the bootloader takes. Where"
        f" GRUB keeps it on the boot partition: {RULE}",
        epilog=_GET,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    get.set_defaults(run=_get)
    get.add_argument("file", help="a disk image")
    get.add_argument("name", nargs="*", help="name of a variable (default: all)")
    get.add_argument("--json", action="store_true", help="print a JSON object")
    put = commands.add_parser(
        "set",
        help="set variables in both copies",
        description="Sets variables in both copies; NAME= removes one. The older copy is written"
        " first, so that one copy is valid at any time. Where GRUB keeps them on the boot"
        f" partition: {RULE}",
        epilog=_SET,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    put.set_defaults(run=_set)
    put.add_argument("file", help="a disk image")
    repair = commands.add_parser(
        "repair",
        help="make both copies whole",
        description="Writes the copy that is not valid from the one that is. If neither is, both"
        " get what the board's factory image has, with the slot that runs.",
        epilog=_REPAIR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    repair.set_defaults(run=_repair)
    repair.add_argument("file", help="a disk image")
    repair.add_argument("board", help="name of the board, or its folder")
    repair.add_argument("--boards", metavar="DIR", help="look for boards here first")
    repair.add_argument(
        "--slot", choices=("A", "B"), default="A", help="which one runs (default: %(default)s)"
    )
    put.add_argument("change", metavar="NAME=VALUE", nargs="+", help="a variable and its value")


def _get(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_image.disk.boot_state import require_state
    from ota_image.disk.image import open_disk

    path = Path(args.file)
    variables = require_state(open_disk(path)).variables
    for name in args.name:
        if name not in variables:
            raise ImageError(f"{path}: {name} is not set; without names, all variables are printed")
    shown = {name: variables[name] for name in args.name or sorted(variables)}
    if args.json:
        print(json.dumps(shown))
    else:
        for name, value in shown.items():
            print(f"{name}={value}")
    return 0


def _set(args: argparse.Namespace) -> int:
    from ota_image.disk.boot_state import change
    from ota_image.disk.image import open_disk

    changes = {}
    for each in args.change:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise ImageError(f"{each!r}: must be NAME=VALUE; NAME= removes a variable")
        changes[name] = value
    change(open_disk(Path(args.file)), changes)
    return 0


def _repair(args: argparse.Namespace) -> int:
    from ota_artifact.contract import PART
    from ota_board import grub
    from ota_board.load import board_folders, find_board, load_board
    from ota_board.u_boot import default_environment, factory_environment
    from ota_image.disk.boot_state import restore
    from ota_image.disk.image import open_disk

    folder = find_board(args.board, list(board_folders(args.boards)))
    board = load_board(folder)
    is_grub = board.bootloader.kind == "grub"
    factory = (
        grub.factory_state(board)
        if is_grub
        else factory_environment(default_environment(board, folder))
    )
    variables = restore(open_disk(Path(args.file)), args.slot, factory)
    print(f"both copies are whole: partition {variables.get(PART, '?')} starts")
    return 0
