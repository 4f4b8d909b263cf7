# SPDX-License-Identifier: Apache-2.0
"""The whole command: its parser and its exit codes."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from ota_artifact import __version__
from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.parser import Parser, spelled_out
from ota_artifact.cli.temporary import temporary_folder
from ota_artifact.command import Command, needed
from ota_artifact.errors import (
    ArtifactError,
    ProgramError,
    UnsupportedFeature,
    UnsupportedVersion,
)

_COMMANDS = (
    *("write", "read", "validate", "sign", "modify", "diff"),
    *("combine", "dump", "cat", "cp", "install", "rm", "trust"),
)
"""Each is a module here, which is imported only when it is called: this starts faster."""

_EPILOG = """\
Exit codes: 0 done, 1 wrong options or a failure without a code of its own (diff: they differ),
2 unsupported version, 3 cannot create, 4 cannot open, 5 invalid artifact (validate, dump, diff),
6 unsupported feature, 7 the system (space, a missing program), 130 interrupted.

examples:
  ota-artifact write rootfs-image -c qemu-arm64 -n v2 -f rootfs.ext4 -o v2.mender
  ota-artifact read v2.mender
"""


def build_parser(commands: Sequence[str] = _COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command; its documentation is made from it, too.

    Args:
        commands: the modules of the sub-commands that are in it.
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
    for name in commands:
        import_module(f"ota_artifact.cli.{name}").add_parser(sub)
    return parser


def _work(words: Sequence[str]) -> int:
    parser = build_parser(needed(words, _COMMANDS))
    args = parser.parse_args(spelled_out(parser, words))
    try:
        with temporary_folder(getattr(args, "tmp", None)):
            code: int = args.run(args)
            return code
    except (UnsupportedVersion, UnsupportedFeature):
        raise
    except ArtifactError as error:
        raise Failure(str(error), getattr(args, "invalid", Exit.WRONG)) from error


def _code_of(error: Exception) -> int | None:
    match error:
        case Failure():
            return error.code
        case UnsupportedVersion():
            return Exit.VERSION
        case UnsupportedFeature():
            return Exit.FEATURE
        case FileNotFoundError() | IsADirectoryError() | NotADirectoryError():
            return Exit.WRONG
        case ProgramError() | OSError():
            return Exit.SYSTEM
        case _:
            return None


_COMMAND = Command("ota-artifact", _work, code_of=_code_of, hint="; nothing is half written")
main, entry = _COMMAND.main, _COMMAND.entry
