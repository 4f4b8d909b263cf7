# SPDX-License-Identifier: Apache-2.0
"""`show-provides`: what this device provides."""

import argparse
import json

from ota_agent.cli.options import Help, add_common
from ota_agent.config.settings import load_settings
from ota_agent.memory.bootstrap import provided


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `show-provides`."""
    parser = sub.add_parser(
        "show-provides",
        help="print what this device provides",
        description="Prints what this device provides, and artifacts may depend on.",
        epilog="example:\n  ota-agent show-provides | grep rootfs-image.checksum",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    found = provided(load_settings(args.config).device)
    if args.json:
        print(json.dumps(found, indent=1, sort_keys=True))
    else:
        print("".join(f"{key}={value}\n" for key, value in sorted(found.items())), end="")
    return 0
