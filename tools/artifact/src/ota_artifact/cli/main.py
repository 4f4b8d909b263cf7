# SPDX-License-Identifier: Apache-2.0
"""Parses the command line, runs the sub-command, and says what went wrong."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from ota_artifact import __version__
from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.parser import Parser, spelled_out
from ota_artifact.cli.temporary import temporary_folder
from ota_artifact.errors import (
    ArtifactError,
    ProgramError,
    UnsupportedFeature,
    UnsupportedVersion,
)

_COMMANDS = (
    *("write", "read", "validate", "sign", "modify", "diff"),
    *("combine", "dump", "cat", "cp", "install", "rm"),
)
"""Each is a module here, imported when it is called: to start takes less time."""

_ROOM = "; make room there, or choose another place ($TMPDIR for temporary files)"

_EPILOG = """\
Exit codes: 0 done, 1 wrong options or a failure without a code of its own (diff: they differ),
2 unsupported version, 3 cannot create, 4 cannot open, 5 invalid artifact (validate, dump, diff),
6 unsupported feature, 7 the system (space, a missing program), 130 interrupted.
"""


def build_parser(called: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from.

    Args:
        called: the sub-command that is called, which is then the only one in it; None: all are.
    """
    parser = Parser(
        prog="ota-artifact",
        description="Reads, writes, signs, checks and changes Mender artifacts.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s version {__version__}")
    parser.add_argument("--compression", dest="global_compression", help=argparse.SUPPRESS)
    parser.set_defaults(run=parser.show_help)
    sub = parser.add_subparsers(dest="command", metavar="command")
    for name in (called,) if called else _COMMANDS:
        import_module(f"ota_artifact.cli.{name}").add_parser(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    try:
        words = sys.argv[1:] if argv is None else argv
        parser = build_parser(next((each for each in words if each in _COMMANDS), None))
        args = parser.parse_args(spelled_out(parser, words))
        with temporary_folder(getattr(args, "tmp", None)):
            code: int = args.run(args)
        print(end="", flush=True)
        return code
    except Failure as error:
        return _said(error, error.code)
    except UnsupportedVersion as error:
        return _said(error, Exit.VERSION)
    except UnsupportedFeature as error:
        return _said(error, Exit.FEATURE)
    except ArtifactError as error:
        return _said(error, getattr(args, "invalid", Exit.WRONG))
    except ProgramError as error:
        return _said(error, Exit.SYSTEM)
    except BrokenPipeError:
        _let_go_of_stdout()  # whoever read it has enough
        return Exit.WRONG
    except OSError as error:
        _let_go_of_stdout()
        is_input = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        return _said(_explained(error), Exit.WRONG if is_input else Exit.SYSTEM)
    except KeyboardInterrupt:
        return _said("interrupted; nothing is half written", Exit.INTERRUPTED)


def entry() -> None:
    """What the installed script calls."""
    _open_closed_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has HUP ignored
            signal.signal(number, _end)
    sys.exit(main())


def _open_closed_streams() -> None:
    """Have stdin, stdout and stderr, even if who started us closed one (``>&-``)."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `with`, so that no temporary file stays."""
    sys.exit(128 + number)


def _let_go_of_stdout() -> None:
    """Flush it; if that fails, Python is not to try again when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def _said(error: object, code: int) -> int:
    print(f"ota-artifact: {error}", file=sys.stderr)
    return code


def _explained(error: OSError) -> str:
    remedy = {
        errno.ENOSPC: _ROOM,
        errno.EDQUOT: _ROOM,
        errno.EFBIG: _ROOM,
        errno.EACCES: "; ask for the permission, or name another place",
    }.get(error.errno or 0, "")
    place = error.filename or ("stdout" if remedy == _ROOM else "")
    return f"{place}{': ' if place else ''}{error.strerror or error}{remedy}"
