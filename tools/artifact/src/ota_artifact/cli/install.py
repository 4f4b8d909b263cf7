# SPDX-License-Identifier: Apache-2.0
"""`install`: put a file with its permissions, or a directory, into an image."""

import argparse
from pathlib import Path

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.inside import IMAGE_HELP, required, writing
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.signing import add_signing
from ota_artifact.image.roles import RULE

_EXAMPLE = """\
examples:
  ota-artifact install -m 755 app v2.mender:/usr/bin/app
  ota-artifact install -d v2.mender:/etc/app.d
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `install`."""
    parser = sub.add_parser(
        "install",
        help="put a file with its permissions, or a directory, into an image",
        description="Puts a file with the given permissions, or an empty directory, into an"
        " artifact's root filesystem or a disk image. If anything fails, the image stays as it"
        f" was. {RULE}",
        epilog=f"An image is {IMAGE_HELP}.\n\n{_EXAMPLE}",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "-m",
        "--mode",
        metavar="MODE",
        help="permissions of the file, in octal as for chmod; required for a file",
    )
    parser.add_argument(
        "-d", "--directory", action="store_true", help="create a directory and its parents"
    )
    parser.add_argument(
        "--tmp", metavar="DIR", help="folder for temporary files (default: $TMPDIR)"
    )
    parser.add_argument("paths", nargs="+", metavar="path", help="[file] image:path")
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    if len(args.paths) != (1 if args.directory else 2):
        form = "-d image:path" if args.directory else "-m MODE file image:path"
        raise Failure(f"got {len(args.paths)} paths; write it as: install {form}")
    mode = _mode(args.mode)
    place = required(args.paths[-1])
    if args.directory:
        with writing(place, args) as image:
            image.make_directory(place.path, mode)
        return Exit.DONE
    if mode is None:
        raise Failure("--mode: is missing; give it, or use `cp`, which keeps the file's own")
    source = Path(args.paths[0])
    if not source.is_file():
        raise Failure(f"{source}: no such file")
    path = place.path + source.name if place.path.endswith("/") else place.path
    with writing(place, args) as image:
        image.write_file(source, path, mode)
    return Exit.DONE


def _mode(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.lower().removeprefix("0o")
    if not digits or digits.strip("01234567") or int(digits, 8) > 0o7777:
        raise Failure(f"--mode: {text!r} is not a mode; write it in octal, such as 644 or 0755")
    return int(digits, 8)
