# SPDX-License-Identifier: Apache-2.0
"""Arguments that several sub-commands have."""

import argparse

from ota_board.board import Board
from ota_board.grow import with_slots
from ota_board.load import board_folders, find_board, load_board
from ota_board.size import parse_size

Subparsers = argparse._SubParsersAction  # argparse has no public name for it


def add_command(
    sub: "Subparsers[argparse.ArgumentParser]", name: str, *, help: str, example: str
) -> argparse.ArgumentParser:
    """Add a sub-command that looks for boards."""
    parser = sub.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"example:\n  {example}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    return parser


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add the board that a sub-command works on."""
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")


def add_slots(parser: argparse.ArgumentParser) -> None:
    """Add the size of the slots, for images that need more than the board has."""
    parser.add_argument(
        "--slots",
        metavar="SIZE",
        default="0 B",
        help="make the slots at least this large, such as '256 MiB'; only on a board whose disk"
        " grows, other boards have the slots of their board.yaml",
    )


def board_of(args: argparse.Namespace) -> Board:
    """The board that the arguments name.

    Raises:
        BoardError: there is no such board, or its description is wrong.
        OSError: it cannot be read.
    """
    return load_board(find_board(args.board, list(board_folders(args.boards))))


def grown_board_of(args: argparse.Namespace) -> Board:
    """The board that the arguments name, with slots of the size that `--slots` asks for.

    Raises:
        BoardError: there is no such board, its description is wrong, or its slots cannot grow.
        OSError: it cannot be read.
    """
    return with_slots(board_of(args), parse_size(args.slots))
