# SPDX-License-Identifier: Apache-2.0
"""`list`: list the boards. `show`: show what a board's description says."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ota_artifact.size import format_size
from ota_board.cli.arguments import Subparsers, add_board, add_command, board_of
from ota_board.load import all_boards, board_folders, load_board

_SIZES = {"size", "alignment", "start", "boot", "slot", "data", "memory"}
_COUNTS = {"speed", "timeout"}


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `list` and `show`."""
    parser = add_command(sub, "list", help="list the boards", example="ota-board list")
    parser.set_defaults(run=_list)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser = add_command(
        sub,
        "show",
        help="show what a board's description says",
        example="ota-board show qemu-arm64",
    )
    parser.set_defaults(run=_show)
    add_board(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, sizes in bytes")


def _list(args: argparse.Namespace) -> int:
    boards = [load_board(path) for path in all_boards(list(board_folders(args.boards)))]
    if args.json:
        print(json.dumps({board.name: board.summary for board in boards}, indent=2))
        return 0
    width = max((len(board.name) for board in boards), default=0)
    for board in boards:
        print(f"{board.name:<{width}}  {board.summary}")
    return 0


def _show(args: argparse.Namespace) -> int:
    found = asdict(board_of(args))
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(value: dict[str, Any], indent: str = "") -> Iterator[str]:
    for key, each in value.items():
        if isinstance(each, dict):
            yield f"{indent}{key}:"
            yield from _lines(each, indent + "  ")
        elif isinstance(each, list | tuple) and each and isinstance(each[0], dict):
            yield f"{indent}{key}:"
            for one in each:
                first, *others = _lines(one, indent + "    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from others
        else:
            values = each if isinstance(each, list | tuple) else [each]
            yield f"{indent}{key}: {', '.join(_text(key, one) for one in values) or '-'}"


def _text(key: str, value: object) -> str:
    """A value as text: sizes with units, addresses and offsets as U-Boot writes them."""
    if isinstance(value, int) and key in _SIZES:
        return format_size(value)
    if isinstance(value, int) and key not in _COUNTS:
        return f"{value:#x}"
    return "-" if value in ("", None) else str(value)
