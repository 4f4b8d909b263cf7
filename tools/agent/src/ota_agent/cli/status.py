# SPDX-License-Identifier: Apache-2.0
"""`status`: what the agent is doing, or where it was when it stopped."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ota_agent.api.client import Client, NoAgent
from ota_agent.api.sentences import headline, lines
from ota_agent.api.status import Status, of_update
from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import command, settings_of
from ota_agent.device.options import DeviceOptions
from ota_agent.device.second_home import data_state
from ota_agent.device.started import bootloader
from ota_agent.lifecycle.floor import sentence
from ota_agent.lifecycle.states import UnderWay
from ota_artifact.provides import NAME
from ota_artifact.terminal import steer

_PAUSE = 0.5  # [s] between attempts to connect
_CLEAR = "\r\033[K"


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON object in one line")
    parser.add_argument(
        "--watch", action="store_true", help="keep printing on every change until interrupted"
    )


@command(
    help="show what the agent is doing",
    description="Shows what the agent is doing, what the device runs, and how the last update"
    " ended. If no agent runs, it shows where the last one stopped.",
    examples=("ota-agent status", "ota-agent status --json", "ota-agent status --watch"),
    options=_add_options,
)
def status(args: argparse.Namespace) -> int:
    device = settings_of(args).device
    if args.watch:
        watch(device, is_json=args.json)
        return Exit.DONE
    status, is_served = current(device)
    if not is_served:
        status = replace(status, bootloader=bootloader(), data=data_state(device.run).sentence)
    if args.json:
        print(json.dumps({**status.to_json(), "is_served": is_served}))
        return Exit.DONE
    for line in lines(status):
        print(line)
    if not is_served:
        print("The agent is not running, or is still starting; start it with: ota-agent daemon")
    return Exit.DONE


def current(device: DeviceOptions) -> tuple[Status, bool]:
    """The status, and whether a running agent gave it; else it is where the last one stopped.

    Raises:
        AgentError: it cannot be read.
    """
    try:
        with Client(device.socket) as client:
            return client.status(), True
    except NoAgent:
        return _left(device), False


def _left(device: DeviceOptions) -> Status:
    """What the agent's memory says, and the running slot."""
    from ota_agent.memory.bootstrap import provided
    from ota_agent.memory.peek import peek

    memory = peek(device.store)
    found = provided(device, memory)
    changes: dict[str, Any] = {"installed": found.provides[NAME], "warning": found.finding}
    if memory is not None:
        changes["floor"] = sentence(memory.floor)
        changes["state"] = type(memory.state).__name__
        changes |= of_update(memory.state) if isinstance(memory.state, UnderWay) else {}
    return Status(**changes)


def watch(device: DeviceOptions, *, is_json: bool) -> None:
    """Print the status on every change until interrupted, from one agent to the next.

    On a terminal, progress stays in one line. While no agent runs, it is what the last one left.

    Raises:
        AgentError: the status cannot be read, or the agent does not answer.
    """
    statuses = _statuses(device)
    if is_json:
        for status in statuses:
            print(json.dumps(status.to_json()), flush=True)
    elif sys.stdout.isatty():
        _rewrite(statuses)
    else:
        _list(statuses)


def _statuses(device: DeviceOptions) -> Iterator[Status]:
    """The status after each change."""
    left: Status | None = None
    while True:
        try:
            with Client(device.socket) as client:
                left = None
                yield from client.watch()
        except NoAgent:
            found = _left(device)
            if found != left:
                yield found
            left = found
            time.sleep(_PAUSE)


def _rewrite(statuses: Iterator[Status]) -> None:
    last = ""
    try:
        for status in statuses:
            if last and status.state != last:
                print()
            steer(sys.stdout, _CLEAR)
            print(headline(status), end="", flush=True)
            last = status.state
    finally:
        print(flush=True)


def _list(statuses: Iterator[Status]) -> None:
    """Print a line for each change that matters; of progress, for each percent."""
    last: tuple[object, ...] = ()
    for status in statuses:
        now = (status.state, status.doing, status.percent, status.waits_for, status.reason)
        if now != last:
            print(headline(status), flush=True)
            last = now
