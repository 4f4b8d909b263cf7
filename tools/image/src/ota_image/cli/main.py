# SPDX-License-Identifier: Apache-2.0
"""The whole command: its parser and its exit codes."""

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ota_artifact.command import Command, needed
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.usage import Usage
from ota_board.errors import BoardError
from ota_image import __version__
from ota_image.errors import ImageError, WorldError

_COMMANDS = (
    *("build", "run", "rootfs", "u_boot", "compose", "inspect", "doctor", "env", "flash"),
    *("needs", "cache"),
)
"""Each is a module here, and is imported when it is called: to start takes a third of the time."""

_EPILOG = """\
exit codes: 0 done, 1 our bug, 2 your input or findings, 3 the world (network, device, space),
130 interrupted

examples:
  ota-image build qemu-arm64
  ota-image run qemu-arm64
"""


def build_parser(commands: Sequence[str] = _COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command, which is also what its documentation is made from.

    Args:
        commands: the modules of the sub-commands that are in it.
    """
    parser = Usage(
        prog="ota-image",
        description="Makes disk images with A/B slots, and looks into them.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="command")
    for name in commands:
        import_module(f"ota_image.cli.{name}").add_parser(sub)
    return parser


def _work(words: Sequence[str]) -> int:
    args = build_parser(needed(words, _COMMANDS)).parse_args(words)
    _check_settings()
    try:
        code: int = args.run(args)
    except OSError as error:
        from ota_image.cache import explained

        raise explained(error) from error
    return code


def _check_settings() -> None:
    """Fail at once for a setting that a program would refuse after minutes, in its own words.

    Python alone takes another folder if there is none at $TMPDIR.
    """
    from ota_artifact.image.workplace import build_time

    build_time()
    folder = os.environ.get("TMPDIR", "")
    if folder and not (Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise WorldError(
            f"TMPDIR={folder}: is not a folder that can be written; make it, or unset the variable"
        )


def _code_of(error: Exception) -> int | None:
    if isinstance(error, ImageError | BoardError | ArtifactError):
        return 2
    return 3 if isinstance(error, WorldError | ProgramError) else None


_COMMAND = Command("ota-image", _work, code_of=_code_of)
main, entry = _COMMAND.main, _COMMAND.entry
