# SPDX-License-Identifier: Apache-2.0
"""`send-inventory`: have the daemon send the inventory now."""

import argparse

from ota_agent.api.client import Client
from ota_agent.cli.options import Help, add_common
from ota_agent.config.settings import load_settings


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `send-inventory`."""
    parser = sub.add_parser(
        "send-inventory",
        help="have the daemon send the inventory now",
        description="Has the daemon send the inventory to the server now.",
        epilog="example:\n  ota-agent send-inventory",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    with Client(load_settings(args.config).device.socket) as client:
        client.call("send_inventory")
    return 0
