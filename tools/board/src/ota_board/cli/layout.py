# SPDX-License-Identifier: Apache-2.0
"""`layout`: show where everything is on a board's disk."""

import argparse

from ota_artifact.layout import to_json
from ota_board.cli.arguments import Subparsers, add_board, add_command, add_slots, grown_board_of
from ota_board.picture import picture, table


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `layout`."""
    parser = add_command(
        sub,
        "layout",
        help="show where everything is on a board's disk",
        example="ota-board layout beaglebone-black"
        "\n  ota-board layout qemu-arm64 --slots '256 MiB'",
    )
    parser.set_defaults(run=_run)
    add_board(parser)
    add_slots(parser)
    parser.add_argument("--json", action="store_true", help="print the JSON that is on the image")


def _run(args: argparse.Namespace) -> int:
    layout = grown_board_of(args).layout
    print(to_json(layout) if args.json else f"{table(layout)}\n\n{picture(layout)}", end="")
    if not args.json:
        print()
    return 0
