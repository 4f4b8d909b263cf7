# SPDX-License-Identifier: Apache-2.0
"""`entry`: write a slot's boot entry, for builders of root filesystems."""

import argparse
from dataclasses import replace
from pathlib import Path

from ota_board.cli.arguments import Subparsers, add_board, add_command, board_of
from ota_board.entry import entry, entry_path


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `entry`."""
    parser = add_command(
        sub,
        "entry",
        help="write a slot's boot entry: kernel, device tree, arguments",
        example="ota-board entry qemu-arm64 --kernel /boot/Image --output rootfs",
    )
    parser.set_defaults(run=_run)
    add_board(parser)
    parser.add_argument(
        "--kernel", metavar="PATH", required=True, help="path of the kernel in the slot"
    )
    parser.add_argument(
        "--initrd", metavar="PATH", default="", help="path of the initrd in the slot"
    )
    parser.add_argument(
        "--console",
        metavar="TTY",
        default="",
        help="Linux's name of the console (default: the board's)",
    )
    parser.add_argument(
        "--no-watchdog",
        action="store_true",
        help="do not have the kernel start the watchdog early: nothing in the slot would feed it",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write it into this root filesystem, where the bootloader looks (default: print it)",
    )


def _run(args: argparse.Namespace) -> int:
    board = board_of(args)
    if args.no_watchdog:
        board = replace(board, watchdog=replace(board.watchdog, parameter=""))
    text = entry(board, args.kernel, initrd=args.initrd, console=args.console)
    if args.output is None:
        print(text, end="")
        return 0
    path = Path(args.output) / entry_path(board).lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
    return 0
