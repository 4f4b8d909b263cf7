# SPDX-License-Identifier: Apache-2.0
"""`show-artifact` and `show-provides`: what this device runs and provides."""

import argparse
import json
from collections.abc import Mapping

from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import add_json, command, settings_of
from ota_agent.memory.bootstrap import provided
from ota_agent.memory.peek import peek
from ota_artifact.names import printable
from ota_artifact.provides import NAME


@command(
    help="print the name of the committed artifact",
    description="Prints the name of the artifact that is committed on this device.",
    examples=("ota-agent show-artifact",),
)
def show_artifact(args: argparse.Namespace) -> int:
    print(_provides(args)[NAME])
    return Exit.DONE


@command(
    help="print what this device provides",
    description="Prints what this device provides, and artifacts may depend on.",
    examples=("ota-agent show-provides | grep rootfs-image.checksum",),
    options=add_json,
)
def show_provides(args: argparse.Namespace) -> int:
    found = _provides(args)
    if args.json:
        print(json.dumps(found, indent=1, sort_keys=True))
    else:
        for key, value in sorted(found.items()):
            print(f"{printable(key)}={printable(value)}")
    return Exit.DONE


def _provides(args: argparse.Namespace) -> Mapping[str, str]:
    """What the device provides.

    Raises:
        Unreadable: the agent's memory is damaged, or the user may not read it.
    """
    device = settings_of(args).device
    return provided(device, peek(device.store)).provides
