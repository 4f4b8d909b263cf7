# SPDX-License-Identifier: Apache-2.0
"""The whole command: its parser and its exit codes."""

import argparse
from collections.abc import Sequence

from ota_artifact.command import Command
from ota_artifact.errors import ArtifactError
from ota_artifact.usage import Usage
from ota_board import __version__
from ota_board.cli import check, layout, new, render, show
from ota_board.cli import entry as entry_command
from ota_board.errors import BoardError

_COMMANDS = (show, check, layout, render, entry_command, new)

_EPILOG = """\
Boards are looked for in --boards, in the folders of $OTA_BOARDS, in ./boards, then among those that
come with the package.

exit codes: 0 done, 1 our bug, 2 your input, 3 the world (permission, space), 130 interrupted

examples:
  ota-board list
  ota-board layout qemu-arm64
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from."""
    parser = Usage(
        prog="ota-board",
        description="Checks the description of a board and shows what follows from it.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="command")
    for command in _COMMANDS:
        command.add_parser(sub)
    return parser


def _work(words: Sequence[str]) -> int:
    args = build_parser().parse_args(words)
    code: int = args.run(args)
    return code


def _code_of(error: Exception) -> int | None:
    return 2 if isinstance(error, BoardError | ArtifactError) else None


_COMMAND = Command("ota-board", _work, code_of=_code_of)
main, entry = _COMMAND.main, _COMMAND.entry
