# SPDX-License-Identifier: Apache-2.0
"""`check-update`: have the daemon ask the server now."""

import argparse

from ota_agent.api.client import Client
from ota_agent.cli.options import Help, add_common
from ota_agent.config.settings import load_settings


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check-update`."""
    parser = sub.add_parser(
        "check-update",
        help="have the daemon ask the server now",
        description="Has the daemon ask the server for an update now, not at the next interval.",
        epilog="example:\n  ota-agent check-update",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    with Client(load_settings(args.config).device.socket) as client:
        client.call("check_update")
    return 0
