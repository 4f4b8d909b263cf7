# SPDX-License-Identifier: Apache-2.0
"""`rm`: remove a file or directory from an image."""

import argparse

from ota_artifact.cli.failure import Exit
from ota_artifact.cli.inside import IMAGE_HELP, required, writing
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.signing import add_signing
from ota_artifact.image.roles import RULE

_EXAMPLE = """\
examples:
  ota-artifact rm v2.mender:/etc/motd
  ota-artifact rm -r board.sdimg:/data/cache
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `rm`."""
    parser = sub.add_parser(
        "rm",
        help="remove a file or directory from an image",
        description="Removes a file, or with -r a directory and all that it contains, from an"
        " artifact's root filesystem or a disk image. If anything fails, the image stays as it"
        f" was. {RULE}",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "-r",
        "--recursive",
        action="store_true",
        help="remove a directory with all that it contains",
    )
    parser.add_argument("file", metavar="image:path", help=f"a file in {IMAGE_HELP}")
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    place = required(args.file)
    with writing(place, args) as image:
        image.remove(place.path, recursive=args.recursive)
    return Exit.DONE
