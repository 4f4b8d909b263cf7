# SPDX-License-Identifier: Apache-2.0
"""Parses the command line, runs the sub-command, and says what went wrong."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from ota_agent import __version__
from ota_agent.cli.exits import Exit
from ota_agent.cli.options import Help
from ota_agent.errors import AgentError, NothingInProgress
from ota_artifact.errors import ArtifactError, ProgramError

_COMMANDS = (
    *("install", "commit", "rollback", "resume", "status"),
    *("show_artifact", "show_provides", "check_update", "send_inventory"),
    *("daemon", "dbus", "doctor", "setup"),
)
"""Each is a module here, imported when it is called: to start takes less time and memory."""

_EPILOG = """\
exit codes: 0 done, 1 failed, 2 no update in progress, 4 the device must be restarted (with
--reboot-exit-code), 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Ends with 1 where argparse would with 2, which is `Exit.NOTHING_IN_PROGRESS` here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.print_usage(sys.stderr)
        self.exit(Exit.FAILED, f"{self.prog}: {message}; see {self.prog} --help\n")


def build_parser(commands: Sequence[str] = _COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from.

    Args:
        commands: the modules of the sub-commands that are in it.
    """
    parser = _Parser(
        prog="ota-agent",
        description="Brings updates onto this device, tries them, commits them or goes back.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(run=None)
    sub = parser.add_subparsers(
        dest="command",
        metavar="command",
        prog=parser.prog,  # or argparse would load what it formats a usage line with
    )
    for name in commands:
        import_module(f"ota_agent.cli.{name}").add_parser(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    words = sys.argv[1:] if argv is None else argv
    parser = build_parser(_called(words))
    args = parser.parse_args(words)
    if args.run is None:
        parser.print_help()
        return Exit.DONE
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except NothingInProgress as error:
        return _said(error, Exit.NOTHING_IN_PROGRESS)
    except (AgentError, ArtifactError, ProgramError) as error:
        return _said(error, Exit.FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.FAILED
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename else error, 1)
    except KeyboardInterrupt:
        return _said("interrupted; `ota-agent status` says where it stands", Exit.INTERRUPTED)


def _called(words: Sequence[str]) -> Sequence[str]:
    """The modules that a command line needs; all of them if it is wrong, or asks for help."""
    name = next((each.replace("-", "_") for each in words if not each.startswith("-")), None)
    if name in _COMMANDS:
        return (name,)
    return () if list(words) == ["--version"] else _COMMANDS


def entry() -> None:
    """What the installed script calls."""
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `with`."""
    sys.exit(128 + number)


def _said(error: object, code: int) -> int:
    print(f"ota-agent: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    entry()
