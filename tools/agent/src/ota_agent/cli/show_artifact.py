# SPDX-License-Identifier: Apache-2.0
"""`show-artifact`: the name of the artifact that this device runs."""

import argparse

from ota_agent.cli.options import Help, add_common
from ota_agent.config.settings import load_settings
from ota_agent.lifecycle.provides import NAME
from ota_agent.memory.bootstrap import provided


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `show-artifact`."""
    parser = sub.add_parser(
        "show-artifact",
        help="print the name of the artifact that this device runs",
        description="Prints the name of the artifact that is committed on this device.",
        epilog="example:\n  ota-agent show-artifact",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    print(provided(load_settings(args.config).device)[NAME])
    return 0
