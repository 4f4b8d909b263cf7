# SPDX-License-Identifier: Apache-2.0
"""`check`: whether the descriptions of boards are right."""

import argparse
import sys

from ota_board.cli.arguments import Subparsers, add_command
from ota_board.errors import BoardError
from ota_board.load import all_boards, board_folders, find_board, load_board


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    parser = add_command(
        sub,
        "check",
        help="check the descriptions of boards, all of them by default",
        example="ota-board check qemu-arm64",
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", nargs="*", help="its name, or a path with a '/' to its folder")


def _run(args: argparse.Namespace) -> int:
    folders = list(board_folders(args.boards))
    paths = [find_board(name, folders) for name in args.board] or all_boards(folders)
    wrong = 0
    for path in paths:
        try:
            board = load_board(path)
        except BoardError as error:
            print(f"ota-board: {error}", file=sys.stderr)
            wrong += 1
        else:
            print(f"{board.name}: ok")
    if not paths:
        raise BoardError("no board found; name a folder with --boards")
    return 2 if wrong else 0
