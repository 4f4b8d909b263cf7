# SPDX-License-Identifier: Apache-2.0
"""The whole command: its parser and its exit codes."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn

from ota_agent import __version__
from ota_agent.address import hide_words
from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import Help
from ota_agent.errors import AgentError, NothingInProgress
from ota_artifact.command import Command, needed
from ota_artifact.errors import ArtifactError, ProgramError

_MODULES = {
    **dict.fromkeys(("install", "commit", "rollback", "resume"), "by_hand"),
    "status": "status",
    **dict.fromkeys(("show_artifact", "show_provides"), "show"),
    **dict.fromkeys(("check_update", "send_inventory"), "ask_server"),
    **{each: each for each in ("daemon", "dbus", "doctor", "boot_log", "setup")},
}
"""The module of each command here, imported when it is called: a start takes less memory."""

_EPILOG = """\
exit codes: 0 done, 1 failed, 2 no update in progress, 4 the device must be rebooted (with
--reboot-exit-code), 130 interrupted

examples:
  ota-agent install https://updates.example.com/v2.mender
  ota-agent status
"""


class _Parser(argparse.ArgumentParser):
    """Ends with 1 where argparse would with 2, which is `Exit.NOTHING_IN_PROGRESS` here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.print_usage(sys.stderr)
        self.exit(Exit.FAILED, f"{self.prog}: {hide_words(message)}; see {self.prog} --help\n")

    def show_help(self, _: argparse.Namespace) -> int:
        """What the command does without a sub-command."""
        self.print_help()
        return Exit.DONE


def build_parser(commands: Iterable[str] = _MODULES) -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from.

    Args:
        commands: the sub-commands that are in it.
    """
    parser = _Parser(
        prog="ota-agent",
        description="Brings updates onto this device, tries them, commits them or rolls them back.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(run=parser.show_help)
    sub = parser.add_subparsers(
        dest="command",
        metavar="command",
        prog=parser.prog,  # or argparse would load what it formats a usage line with
    )
    for name in commands:
        getattr(import_module(f"ota_agent.cli.{_MODULES[name]}"), name)(sub)
    return parser


def _work(words: Sequence[str]) -> int:
    args = build_parser(needed(words, tuple(_MODULES))).parse_args(words)
    code: int = args.run(args)
    return code


def _code_of(error: Exception) -> int | None:
    if isinstance(error, NothingInProgress):
        return Exit.NOTHING_IN_PROGRESS
    ours = isinstance(error, AgentError | ArtifactError | ProgramError | OSError)
    return Exit.FAILED if ours else None


_COMMAND = Command(
    "ota-agent", _work, code_of=_code_of, hint="; `ota-agent status` says where it stands"
)
main, entry = _COMMAND.main, _COMMAND.entry


if __name__ == "__main__":
    entry()
