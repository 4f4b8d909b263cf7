# SPDX-License-Identifier: Apache-2.0
"""`check`: check the descriptions of boards."""

import argparse
import sys
from pathlib import Path

from ota_artifact.own_text import read_text
from ota_board.board import Board
from ota_board.cli.arguments import Subparsers, add_command
from ota_board.errors import BoardError
from ota_board.load import all_boards, board_folders, find_board, load_board
from ota_board.load_hil import load_hil
from ota_board.u_boot import missing, needed


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
    parser.add_argument(
        "--u-boot-config",
        metavar="FILE",
        help="check that this final .config of U-Boot has everything that the board needs",
    )


def _run(args: argparse.Namespace) -> int:
    folders = list(board_folders(args.boards))
    paths = [find_board(name, folders) for name in args.board] or all_boards(folders)
    wrong = 0
    config = read_text(Path(args.u_boot_config)) if args.u_boot_config else None
    for path in paths:
        try:
            board = load_board(path)
            load_hil(path, board.bootloader.kind)
            if config is not None:
                _check_config(board, path, config, args.u_boot_config)
        except BoardError as error:
            print(f"ota-board: {error}", file=sys.stderr)
            wrong += 1
        else:
            print(f"{board.name}: ok")
    if not paths:
        raise BoardError("no board found; name a folder with --boards")
    return 2 if wrong else 0


def _check_config(board: Board, folder: Path, config: str, name: str) -> None:
    if board.bootloader.kind != "u-boot":
        raise BoardError(f"{board.name}: boots with {board.bootloader.kind}, not with U-Boot")
    if lost := missing(needed(board, folder), config):
        raise BoardError(
            f"{name}: U-Boot for {board.name} is built without {'; '.join(lost)}; merge the"
            " u-boot.cfg of `ota-board render` last"
        )
