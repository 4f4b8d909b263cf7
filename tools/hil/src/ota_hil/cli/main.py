# SPDX-License-Identifier: Apache-2.0
"""Parses the command line, runs the sub-command, and says what went wrong."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from ota_artifact.errors import ProgramError
from ota_board.errors import BoardError
from ota_hil import __version__
from ota_hil.errors import HilError

_COMMANDS = ("demo",)
"""Each is a module here."""

_EPILOG = """\
exit codes: 0 done, 1 our bug, 2 your input or findings, 3 the world (network, board, space),
130 interrupted
"""


def build_parser(called: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from.

    Args:
        called: the sub-command that is called, which is then the only one in it; if there is none
            of that name, all are.
    """
    parser = argparse.ArgumentParser(
        prog="ota-hil",
        description="Runs boards under test, in QEMU.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name in (called,) if called in _COMMANDS else _COMMANDS:
        import_module(f"ota_hil.cli.{name}").add_parser(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    words = sys.argv[1:] if argv is None else argv
    args = build_parser(words[0] if words else None).parse_args(words)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BoardError as error:
        return _said(error, 2)
    except (HilError, ProgramError) as error:
        return _said(error, 3)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 3
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename else error, 3)
    except KeyboardInterrupt:
        return _said("interrupted", 130)


def entry() -> None:
    """What the installed script calls."""
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `with`, so that no machine goes on."""
    sys.exit(128 + number)


def _said(error: object, code: int) -> int:
    print(f"ota-hil: {error}", file=sys.stderr)
    return code
