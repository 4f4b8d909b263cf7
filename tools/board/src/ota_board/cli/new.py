# SPDX-License-Identifier: Apache-2.0
"""`new`: start a board of your own as a copy of one that works."""

import argparse
import re
import shutil
from pathlib import Path

from ota_artifact.own_text import read_text
from ota_board.cli.arguments import Subparsers, add_command
from ota_board.errors import BoardError
from ota_board.load import BOARD_NAME, board_folders, find_board, load_board
from ota_board.load_hil import FILE as HIL
from ota_board.load_hil import load_hil

_README = """\
# {name}

Copied from {old}. Not built and not tested yet: write here what you tested, and on which hardware.

**Watchdog**: write what arms it, and from when on it catches a silent hang.
"""
"""The README of a new board; that of the old board reports tests of the old board."""


def add_parser(sub: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add `new`."""
    parser = add_command(
        sub,
        "new",
        help="start a board of your own as a copy of another",
        example="ota-board new mine --from qemu-arm64",
    )
    parser.set_defaults(run=_run)
    parser.add_argument("name", help="name of the new board: lower-case letters, digits, dashes")
    parser.add_argument(
        "--from", dest="origin", required=True, metavar="BOARD", help="the board to copy"
    )
    parser.add_argument(
        "--output",
        default="boards",
        metavar="DIR",
        help="make its folder there (default: %(default)s)",
    )


def _run(args: argparse.Namespace) -> int:
    if not BOARD_NAME.fullmatch(args.name):
        raise BoardError(
            f"{args.name!r} is not a board's name; use lower-case letters, digits, '-'"
        )
    origin = find_board(args.origin, list(board_folders(args.boards)))
    old = load_board(origin)
    folder = Path(args.output) / args.name
    if folder.exists():
        raise BoardError(f"{folder}: already exists; choose another name or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(origin, folder)
        file = folder / "board.yaml"
        file.write_text(_renamed(read_text(file), old.name, args.name), "utf-8")
        _rename_include(folder / "kas.yml", old.name, args.name)
        _forget_times(folder / HIL)
        (folder / "README.md").write_text(_README.format(name=args.name, old=old.name), "utf-8")
        load_hil(folder, load_board(folder).bootloader.kind)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"{folder}: made from {old.name}; change board.yaml, then: ota-board check {folder}")
    return 0


def _rename_include(file: Path, old: str, new: str) -> None:
    """Let kas.yml require the new board's file; a board that Yocto does not build has none."""
    if file.exists():
        text = read_text(file)
        file.write_text(text.replace(f"/ota-{old}.inc", f"/ota-{new}.inc"), "utf-8")


def _forget_times(file: Path) -> None:
    """Make all times of hil.yaml estimates: nobody has measured them on the new board."""
    if file.exists():
        text = re.sub(r"\bbasis: [a-z]+", "basis: estimate", read_text(file))
        file.write_text(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), "utf-8")


def _renamed(text: str, old: str, new: str) -> str:
    """The description with another name, which is also its first device type."""
    text = re.sub(rf"^name: {old}$", f"name: {new}", text, flags=re.MULTILINE)
    types = re.compile(rf"^(device_types: \[){re.escape(old)}\b", re.MULTILINE)
    return types.sub(rf"\g<1>{new}", text)
