# SPDX-License-Identifier: Apache-2.0
"""`inspect`: show what is on a disk image."""

import argparse
import json
from pathlib import Path

from ota_artifact.image.roles import RULE

_EXAMPLE = """\
examples:
  ota-image inspect my.sdimg
  ota-image inspect --json my.sdimg
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `inspect`."""
    parser = sub.add_parser(
        "inspect",
        help="show what is on a disk image",
        description="Shows the partitions, the bootloaders, the contents of the slots, and all"
        f" variables of the environment. The image may come from another tool. {RULE}",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="a disk image")
    parser.add_argument("--json", action="store_true", help="print JSON; sizes are bytes")


def _run(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_image.disk.inspect import as_json, as_text, inspect

    report = inspect(Path(args.file))
    print(json.dumps(as_json(report), indent=1) if args.json else as_text(report))
    return 0
