# SPDX-License-Identifier: Apache-2.0
"""`cp`: copy a file into an image or out of it."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.header_options import warn
from ota_artifact.cli.inside import IMAGE_HELP, Inside, inside, reading, writing
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.signing import add_signing
from ota_artifact.cli.streams import refuse_inputs
from ota_artifact.image.roles import RULE

_EXAMPLE = """\
examples:
  ota-artifact cp v2.mender:/etc/os-release os-release
  ota-artifact cp banner v2.mender:/etc/issue -k private.pem
  date | ota-artifact cp - board.sdimg:/data/made
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `cp`."""
    parser = sub.add_parser(
        "cp",
        help="copy a file into an image or out of it",
        description="Copies a file into an artifact's root filesystem or a disk image, or out of"
        " one. A file that is replaced keeps its owner and mode; a new file has the mode of the"
        " source and belongs to root. A change drops an artifact's signature, unless you sign it"
        f" again. If anything fails, the image stays as it was. {RULE}",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("source", help="a file, - for stdin, or image:path")
    parser.add_argument("destination", help=f"a file, or image:path for a file in {IMAGE_HELP}")
    parser.add_argument("--compression", help=argparse.SUPPRESS)
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    if args.compression:
        warn("--compression: `cp` does not change it; use `modify`")
    source = inside(args.source) if args.source != "-" else None
    destination = inside(args.destination)
    if source and destination:
        raise Failure(
            "source and destination are both inside an image; copy the file to the host first"
        )
    if source:
        _copy_out(source, Path(args.destination))
    elif destination:
        _copy_in(args.source, destination, args)
    else:
        raise Failure("neither source nor destination is inside an image; write v2.mender:/etc/x")
    return Exit.DONE


def _copy_out(source: Inside, destination: Path) -> None:
    if destination.is_dir():
        destination /= source.path.rsplit("/", 1)[1]
    refuse_inputs(str(destination), [source.image])
    with reading(source) as image:
        image.read_file(source.path, destination)


def _copy_in(source: str, destination: Inside, args: argparse.Namespace) -> None:
    path = destination.path
    with tempfile.TemporaryDirectory(prefix="ota-cp-") as folder:
        file = Path(source)
        if source == "-":
            file = Path(folder) / "stdin"
            with file.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        elif path.endswith("/"):
            path += file.name
        if not file.is_file():
            raise Failure(f"{source}: no such file")
        with writing(destination, args) as image:
            image.write_file(file, path)
