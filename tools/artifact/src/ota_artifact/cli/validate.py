# SPDX-License-Identifier: Apache-2.0
"""`validate`: check an artifact and its signature."""

import argparse

from ota_artifact.cli.failure import Exit
from ota_artifact.cli.header_options import warn
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import add_verifying, public_keys_of
from ota_artifact.cli.streams import counted, opened
from ota_artifact.errors import SignatureError
from ota_artifact.reader import open_artifact

_EXAMPLE = """\
examples:
  ota-artifact validate v2.mender
  ota-artifact validate v2.mender -k public.pem
  curl -sN https://updates.example.com/v2.mender | ota-artifact validate -
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `validate`."""
    parser = sub.add_parser(
        "validate",
        help="check an artifact and its signature",
        description="Reads an artifact once, to its end, and checks everything in it. A signed"
        " artifact is valid only if one of the given keys signed it.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run, invalid=Exit.INVALID)
    parser.add_argument("artifact", help="a file, or - for stdin")
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    add_verifying(parser)


def _run(args: argparse.Namespace) -> int:
    keys = public_keys_of(args)
    bar = progress("validating", is_wanted=not args.no_progress)
    with opened(args.artifact) as file, bar as tell:
        artifact = open_artifact(counted(file, tell), keys=keys)
        artifact.drain()
        if artifact.signature and not keys:
            raise SignatureError(
                "missing verifier: the artifact is intact and signed; give a public key with -k"
            )
    if len(artifact.header.payloads) > 1:
        warn(f"holds {len(artifact.header.payloads)} payloads; Mender's client accepts only one")
    print(f"Artifact file '{args.artifact}' validated successfully")
    return Exit.DONE
