# SPDX-License-Identifier: Apache-2.0
"""Parses the command line, runs the sub-command, and says what went wrong."""

import argparse
import os
import sys
from collections.abc import Sequence

from ota_board import __version__
from ota_board.cli import check, layout, new, render, show
from ota_board.cli import entry as entry_command
from ota_board.errors import BoardError

_COMMANDS = (show, check, layout, render, entry_command, new)

_EPILOG = """\
Boards are looked for in --boards, in the folders of $OTA_BOARDS, in ./boards, then among those that
come with the package.

exit codes: 0 done, 1 our bug, 2 your input, 3 the world (permission, space), 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from."""
    parser = argparse.ArgumentParser(
        prog="ota-board",
        description="Checks the description of a board and shows what follows from it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="command", required=True)
    for command in _COMMANDS:
        command.add_parser(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BoardError as error:
        return _said(error, 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 3
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename else error, 3)
    except KeyboardInterrupt:
        return _said("interrupted", 130)


def entry() -> None:
    """What the installed script calls."""
    sys.exit(main())


def _said(error: object, code: int) -> int:
    print(f"ota-board: {error}", file=sys.stderr)
    return code
