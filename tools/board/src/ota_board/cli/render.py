# SPDX-License-Identifier: Apache-2.0
"""`render`: write the files that builders and the running system need."""

import argparse
from pathlib import Path

from ota_board.cli.arguments import Subparsers, add_board, add_command, add_slots, grown_board_of
from ota_board.load import board_folders, find_board
from ota_board.render import rendered
from ota_board.yocto import include_of


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `render`."""
    parser = add_command(
        sub,
        "render",
        help="write the files that follow from a board's description",
        example="ota-board render qemu-arm64 --output build/qemu-arm64"
        "\n  ota-board render boards/mine --layer meta-mine",
    )
    parser.set_defaults(run=_run)
    add_board(parser)
    add_slots(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--output",
        metavar="DIR",
        help="write them into this folder (default: print them one after another)",
    )
    where.add_argument(
        "--layer",
        metavar="DIR",
        help="write ota-BOARD.inc, which a Yocto machine requires, into this layer instead",
    )


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board = grown_board_of(args)
    if args.layer:
        path, text = include_of(board, folder, Path(args.layer))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
        return 0
    files = rendered(board, folder)
    if args.output is None:
        for name, text in files.items():
            print(f"==> {name} <==\n{text}")
        return 0
    folder = Path(args.output)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
    return 0
