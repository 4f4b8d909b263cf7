# SPDX-License-Identifier: Apache-2.0
"""`dbus`: the bridge from D-Bus to the device API; the bus starts it when it is needed."""

import argparse
import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from ota_agent.cli.console import log_to_console
from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import command, settings_of
from ota_agent.dbus.bridge import IDLE, serve


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="", help="bus address (default: the system bus)")
    parser.add_argument(
        "--idle",
        type=float,
        default=IDLE,
        metavar="SECONDS",
        help="how long to stay after the last caller has disconnected; 0: forever"
        " (default: %(default)g)",
    )


@command(
    help="serve the device API on D-Bus; the bus starts this by itself",
    description="Offers io.mender.AuthenticationManager, io.mender.UpdateManager and"
    " io.otakit.Agent1 on the system bus, until the last caller has disconnected.",
    examples=(
        "ota-agent dbus",
        "ota-agent dbus --idle 0",
        'ota-agent dbus --address "$DBUS_SESSION_BUS_ADDRESS"',
    ),
    options=_add_options,
)
def dbus(args: argparse.Namespace) -> int:
    log_to_console(args.log_level)
    socket = settings_of(args).device.socket
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve(serve(socket, args.address, args.idle)))
    return Exit.DONE


async def _serve(bridge: Coroutine[Any, Any, None]) -> None:
    """Serve until SIGTERM, which systemd sends once the names are released.

    The task is cancelled: an exception raised in a signal handler would end in any callback.
    """
    task = asyncio.ensure_future(bridge)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task
