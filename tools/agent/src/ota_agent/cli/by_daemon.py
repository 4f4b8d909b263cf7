# SPDX-License-Identifier: Apache-2.0
"""A command that the daemon carries out, watched until it is done."""

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

from ota_agent.api.client import Client, NoAgent
from ota_agent.api.messages import Wrong
from ota_agent.api.status import Status
from ota_agent.cli.console import log_to_console
from ota_agent.cli.exits import Exit
from ota_agent.cli.standalone import COMMIT, REBOOT, check_end
from ota_agent.config.settings import Settings
from ota_agent.errors import AgentError

logger = logging.getLogger(__name__)

_AGAIN = 0.3  # [s]
_BEGUN = 15.0  # [s] for the daemon to begin with it
_STARTS = 60.0  # [s] for a daemon to serve that is the agent already, and to look at its trial
_REST = {"Idle", "Installed", "Proven"}
"""States in which it waits for somebody."""


def followed(settings: Settings, args: argparse.Namespace, call: str, **arguments: Any) -> int:
    """Have the daemon do it, show how far it is, and give the exit code.

    Raises:
        NothingInProgress, AgentError: the daemon refuses it, or it failed.
    """
    console = log_to_console(args.log_level)
    path = settings.device.socket
    with _served(path) as watcher, Client(path) as client:
        before = _asked(client, call, arguments)
        if before is None:
            print("No update in progress.", file=sys.stderr)
            return Exit.NOTHING_IN_PROGRESS
        try:
            end = _followed(watcher, before)
        finally:
            console.end()
    return _outcome(end, call, is_four=getattr(args, "reboot_exit_code", False))


def _served(path: Path) -> Client:
    """A connection to the daemon, which may be starting.

    Raises:
        NoAgent: it does not serve.
    """
    end, is_told = time.monotonic() + _STARTS, False
    while True:
        try:
            return Client(path)
        except NoAgent:
            if time.monotonic() > end:
                raise
        if not is_told:
            logger.info("the agent is there, and does not serve yet: waiting for it")
            is_told = True
        time.sleep(_AGAIN)


def _asked(client: Client, call: str, arguments: dict[str, Any]) -> Status | None:
    """Ask for it; a commit, once a daemon that has just started has looked at its trial.

    Returns:
        The status before it; None if there is no update that it could be about.

    Raises:
        AgentError: the daemon refuses it.
    """
    end = time.monotonic() + _STARTS
    while True:
        before = client.status()
        if call != "install" and before.state == "Idle":
            return None
        try:
            client.call(call, **arguments)
            return before
        except Wrong as error:
            if error.kind != "busy" or call != "commit" or time.monotonic() > end:
                raise
        time.sleep(_AGAIN)


def _followed(watcher: Client, before: Status) -> Status:
    """The status at which it rests again."""
    began = time.monotonic()
    has_begun = False
    shown = ""
    for status in watcher.watch():
        has_begun = has_begun or status.state != before.state or status.updates > before.updates
        if status.state in _REST and has_begun:
            return status
        if not has_begun and time.monotonic() - began > _BEGUN:
            raise AgentError("the daemon has not begun with it; `ota-agent status` says more")
        text = _progress(status)
        if text != shown and has_begun:
            shown = text
            logger.info("%s", text)
    raise AgentError("the daemon has ended; it goes on when it starts again")


def _progress(status: Status) -> str:
    """A line for each tenth, as the daemon's own log has them."""
    if status.state == "Downloading" and status.size:
        return f"install: slot {status.slot or '-'}: {status.percent // 10 * 10} %"
    return f"state {status.state}"


def _outcome(status: Status, call: str, *, is_four: bool) -> int:
    match status.state:
        case "Installed":
            print(COMMIT)
            if status.wants_reboot:
                print(REBOOT)
                return Exit.REBOOT_NEEDED if is_four else Exit.DONE
        case "Proven":
            print("The update runs on trial, and is healthy. Use 'ota-agent commit' to keep it.")
        case _:
            check_end(status, is_rollback=call == "rollback")
            print({"rollback": "Rolled back.", "commit": "Committed."}.get(call, "Done."))
    return Exit.DONE
