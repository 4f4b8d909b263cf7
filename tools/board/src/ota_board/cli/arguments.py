# SPDX-License-Identifier: Apache-2.0
"""The arguments that the sub-commands share."""

import argparse

from ota_board.board import Board
from ota_board.grow import with_slots
from ota_board.load import board_folders, find_board, load_board
from ota_board.size import parse_size

Subparsers = argparse._SubParsersAction  # argparse has no public name for what it returns


def add_command(
    sub: "Subparsers[argparse.ArgumentParser]", name: str, *, help: str, example: str
) -> argparse.ArgumentParser:
    """A sub-command that looks for boards."""
    parser = sub.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"example:\n  {example}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--boards", metavar="DIR", help="look for boards there first")
    return parser


def add_board(parser: argparse.ArgumentParser) -> None:
    """The board that a sub-command is about."""
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")


def add_slots(parser: argparse.ArgumentParser) -> None:
    """How large slots are to be, for images that need more than the board's own."""
    parser.add_argument(
        "--slots",
        metavar="SIZE",
        default="0 B",
        help="make slots at least that large, such as '256 MiB', on a board whose disk grows; those"
        " of other boards are what board.yaml says",
    )


def board_of(args: argparse.Namespace) -> Board:
    """The board that was named.

    Raises:
        BoardError: there is none, or its description is wrong.
        OSError: it cannot be read.
    """
    return load_board(find_board(args.board, list(board_folders(args.boards))))


def grown_board_of(args: argparse.Namespace) -> Board:
    """The board that was named, with slots as `--slots` asks for.

    Raises:
        BoardError: there is none, its description is wrong, or its slots may not be that large.
        OSError: it cannot be read.
    """
    return with_slots(board_of(args), parse_size(args.slots))
