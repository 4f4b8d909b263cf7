# SPDX-License-Identifier: Apache-2.0
"""`read`: show an artifact's contents, in the layout of mender-artifact 4 or as JSON."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ota_artifact.cli.failure import Exit
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import add_verifying, public_keys_of
from ota_artifact.cli.streams import counted, opened
from ota_artifact.describe import describe
from ota_artifact.names import printable
from ota_artifact.reader import open_artifact

_EXAMPLE = """\
examples:
  ota-artifact read v2.mender
  ota-artifact read v2.mender -k public.pem
  ota-artifact read v2.mender --json | jq -r .artifact_name
"""

_SIGNATURE = {
    "none": "no signature",
    "unverified": "signed but no key for verification provided; please use `-k` option for"
    " providing verification key",
    "failed": "signed; verification using provided key failed",
    "verified": "signed and verified correctly",
}


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `read`."""
    parser = sub.add_parser(
        "read",
        help="show the contents of an artifact",
        description="Reads and checks a whole artifact, and shows its contents. A bad signature is"
        " shown, but is not an error; to make it one, use validate.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("artifact", help="a file, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    add_verifying(parser)


def _run(args: argparse.Namespace) -> int:
    keys = public_keys_of(args)
    bar = progress("reading", is_wanted=not args.no_progress)
    with opened(args.artifact) as file, bar as tell:
        found = describe(open_artifact(counted(file, tell)), keys)
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    return Exit.DONE


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The layout of mender-artifact 4, which is YAML unless a value is unusual."""
    yield "Mender Artifact:"
    yield f"  Name: {printable(found['artifact_name'])}"
    yield f"  Format: {found['format']}"
    yield f"  Version: {found['version']}"
    yield f"  Signature: {_SIGNATURE[found['signature']]}"
    yield f"  Compatible types: {_flow(found['compatible_types'])}"
    if found["version"] == 3:
        depends = found["depends"]
        yield f"  Provides group: {printable(found['artifact_group'] or '')}"
        yield f"  Depends on one of artifact(s): {_flow(depends['artifact_name'])}"
        yield f"  Depends on one of group(s): {_flow(depends['artifact_group'])}"
    scripts = [script["name"] for script in found["state_scripts"]]
    yield "  State scripts:" + ("" if scripts else " []")
    yield from (f"    - {name}" for name in scripts)
    yield ""
    yield "Updates:"
    for payload in found["payloads"]:
        yield from _payload(payload)


def _payload(payload: Mapping[str, Any]) -> Iterator[str]:
    yield f"  - Type: {payload['type'] or 'Empty type'}"
    yield from _object("Provides", payload["provides"])
    yield from _object("Depends", payload["depends"])
    yield f"    Clears Provides: {_flow(payload['clears_provides'])}"
    if payload["meta_data"]:
        yield "    Metadata:"
        text = json.dumps(payload["meta_data"], indent=2, sort_keys=True, ensure_ascii=False)
        yield from (f"      {printable(line)}" for line in text.split("\n"))
    else:
        yield "    Metadata: {}"
    yield "    Files:" + ("" if payload["files"] else " []")
    for file in payload["files"]:
        yield f"      - checksum: {file['sha256']}"
        yield f"        modified: {_time(file['modified'])}"
        yield f"        name: {file['name']}"
        yield f"        size: {file['size']}"


def _object(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"    {title}:" + ("" if values else " {}")
    for key, value in values.items():
        text = printable(value) if isinstance(value, str) else _flow(value)
        yield f"      {printable(key)}: {text}"


def _flow(values: Sequence[str]) -> str:
    return f"[{', '.join(map(printable, values))}]"


def _time(seconds: int) -> str:
    """A time as Go prints it, in UTC; the number if no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S +0000 UTC}"
    except (ValueError, OverflowError, OSError):
        return str(seconds)
