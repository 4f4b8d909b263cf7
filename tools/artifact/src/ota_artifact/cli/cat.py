# SPDX-License-Identifier: Apache-2.0
"""`cat`: print a file of an image."""

import argparse
import sys
import tempfile
from pathlib import Path

from ota_artifact.cli.failure import Exit
from ota_artifact.cli.inside import IMAGE_HELP, reading, required
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.image.roles import RULE

_EXAMPLE = """\
examples:
  ota-artifact cat v2.mender:/etc/os-release
  ota-artifact cat board.sdimg:/data/mender/device_type
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `cat`."""
    parser = sub.add_parser(
        "cat",
        help="print a file of an image",
        description="Prints a file from an artifact's root filesystem or from a disk image."
        f" {RULE}",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", metavar="image:path", help=f"a file in {IMAGE_HELP}")


def _run(args: argparse.Namespace) -> int:
    place = required(args.file)
    with tempfile.TemporaryDirectory(prefix="ota-cat-") as folder:
        copy = Path(folder) / "file"
        with reading(place) as image:
            image.read_file(place.path, copy)
        with copy.open("rb") as file:
            while chunk := file.read(1 << 20):
                sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return Exit.DONE
