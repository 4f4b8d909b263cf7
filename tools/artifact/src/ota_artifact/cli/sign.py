# SPDX-License-Identifier: Apache-2.0
"""`sign`: sign an existing artifact."""

import argparse

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import add_signing, signer_of
from ota_artifact.cli.streams import counted, created, opened
from ota_artifact.sign import sign_artifact

_EXAMPLE = """\
examples:
  ota-artifact sign v2.mender -k private.pem
  ota-artifact sign v2.mender --sign-command ./sign-with-hsm.sh -o v2-signed.mender
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `sign`."""
    parser = sub.add_parser(
        "sign",
        help="sign an existing artifact",
        description="Checks an artifact and signs it; all its other bytes stay the same.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("artifact", help="a file, or - for stdin")
    parser.add_argument(
        "-o",
        "--output-path",
        metavar="FILE",
        help="output file, - for stdout (default: replace the artifact)",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace an existing signature")
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    signer = signer_of(args)
    if signer is None:
        raise Failure("missing signing key; give --key, --sign-command or --key-pkcs11")
    bar = progress("signing", is_wanted=not args.no_progress)
    with (
        opened(args.artifact, Exit.WRONG) as file,
        created(args.output_path or args.artifact) as output,
        bar as tell,
    ):
        sign_artifact(counted(file, tell), output, signer, is_replacing=args.force)
    return Exit.DONE
