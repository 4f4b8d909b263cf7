# SPDX-License-Identifier: Apache-2.0
"""The whole command: its parser and its exit codes."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from ota_artifact.command import Command, needed
from ota_artifact.errors import ProgramError
from ota_artifact.usage import Usage
from ota_board.errors import BoardError
from ota_hil import __version__
from ota_hil.errors import HilError

_COMMANDS = ("demo", "milestones")
"""Each is a module here."""

_EPILOG = """\
exit codes: 0 done, 1 our bug, 2 your input or findings, 3 the world (network, board, space),
130 interrupted

example:
  ota-hil demo
"""


def build_parser(commands: Sequence[str] = _COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command; its documentation is made from it, too.

    Args:
        commands: the modules of the sub-commands that are in it.
    """
    parser = Usage(
        prog="ota-hil",
        description="Runs boards under test, in QEMU, and reads the consoles of others.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="command")
    for name in commands:
        import_module(f"ota_hil.cli.{name}").add_parser(sub)
    return parser


def _work(words: Sequence[str]) -> int:
    args = build_parser(needed(words, _COMMANDS)).parse_args(words)
    code: int = args.run(args)
    return code


def _code_of(error: Exception) -> int | None:
    if isinstance(error, BoardError):
        return 2
    return 3 if isinstance(error, HilError | ProgramError) else None


_COMMAND = Command("ota-hil", _work, code_of=_code_of)
main, entry = _COMMAND.main, _COMMAND.entry
