# SPDX-License-Identifier: Apache-2.0
"""`diff`: show what differs between two artifacts."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from ota_artifact.cli.failure import Exit
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.streams import counted, opened
from ota_artifact.describe import describe
from ota_artifact.reader import open_artifact

_EXAMPLE = """\
examples:
  ota-artifact diff v1.mender v2.mender
  ota-artifact diff v1.mender v2.mender --json
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `diff`."""
    parser = sub.add_parser(
        "diff",
        help="show what differs between two artifacts",
        description="Reads and checks two artifacts, and shows what differs: '-' marks the first,"
        " '+' the second. Exits with 0 if they are the same, and with 1 if they differ.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run, invalid=Exit.INVALID)
    parser.add_argument("first", help="a file, or - for stdin")
    parser.add_argument("second", help="a file, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")


def _run(args: argparse.Namespace) -> int:
    first, second = (_facts(name, args) for name in (args.first, args.second))
    changed = {
        key: (first.get(key), second.get(key))
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
    }
    if args.json:
        pairs = {key: {"first": old, "second": new} for key, (old, new) in changed.items()}
        print(json.dumps(pairs, indent=2))
    else:
        for key, (old, new) in changed.items():
            for sign, value in (("-", old), ("+", new)):
                if value is not None:
                    print(f"{sign} {key}: {json.dumps(value)}")
    return Exit.WRONG if changed else Exit.DONE


def _facts(name: str, args: argparse.Namespace) -> dict[str, Any]:
    bar = progress(f"reading {name}", is_wanted=not args.no_progress)
    with opened(name) as file, bar as tell:
        found = describe(open_artifact(counted(file, tell)))
    return dict(_flat("", found))


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each leaf by its place; files and scripts by name, so that order does not matter."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{place}.{key}" if place else key, each)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, each in enumerate(value):
            yield from _flat(f"{place}[{each.get('name', number)}]", each)
    else:
        yield place, value
