# SPDX-License-Identifier: Apache-2.0
"""`check-update` and `send-inventory`: have the daemon talk to the server now."""

import argparse

from ota_agent.api.client import Client
from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import command, settings_of


@command(
    help="have the daemon ask the server now",
    description="Has the daemon ask the server for an update now, not at the next interval.",
    examples=("ota-agent check-update",),
)
def check_update(args: argparse.Namespace) -> int:
    return _call(args, "check_update")


@command(
    help="have the daemon send the inventory now",
    description="Has the daemon send the inventory to the server now.",
    examples=("ota-agent send-inventory",),
)
def send_inventory(args: argparse.Namespace) -> int:
    return _call(args, "send_inventory")


def _call(args: argparse.Namespace, name: str) -> int:
    with Client(settings_of(args).device.socket) as client:
        client.call(name)
    return Exit.DONE
