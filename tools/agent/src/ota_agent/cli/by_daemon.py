# SPDX-License-Identifier: Apache-2.0
"""Has the daemon carry out a command, and watches it until it is done."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ota_agent.api.client import Client, NoAgent
from ota_agent.api.messages import Wrong
from ota_agent.api.status import Status
from ota_agent.errors import NOTHING, AgentError, NothingInProgress

logger = logging.getLogger(__name__)

_AGAIN = 0.3  # [s]
_BEGUN = 15.0  # [s] for the daemon to begin
_STARTS = 60.0  # [s] for a daemon that is starting to serve, and to look at its trial
_TRIAL = ("Installed", "Trying", "Proven")
"""What an update goes through by itself until it can be committed."""
_WITHOUT_UPDATE = ("Idle", "Syncing")


def follow(socket: Path, call: str, arguments: dict[str, Any]) -> Status:
    """Have the daemon do it, and log its progress; gives the status at the end.

    Raises:
        NothingInProgress: there is no update that it could be about.
        AgentError: the daemon refuses, or has ended.
    """
    with _connect(socket) as watcher, Client(socket) as client:
        before = _ask(client, call, arguments)
        if (
            call != "install" and before.state in _WITHOUT_UPDATE
        ):  # a trial of no update: that was all
            return replace(client.status(), result="", reason="")
        waiting: Sequence[str] = _TRIAL if call == "commit" else (before.state,)
        if before.state in _WITHOUT_UPDATE:
            waiting = _WITHOUT_UPDATE  # it may be asking the server, and have nothing from there
        return _watch(watcher, waiting, before.updates)


def _connect(path: Path) -> Client:
    """A connection to the daemon, which may still be starting.

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
            logger.info("waiting for the agent, which is starting")
            is_told = True
        time.sleep(_AGAIN)


def _ask(client: Client, call: str, arguments: dict[str, Any]) -> Status:
    """Send the request, a commit as soon as the daemon has looked at its trial.

    Returns:
        The status before it.

    Raises:
        NothingInProgress: there is no update that it could be about.
        AgentError: the daemon refuses.
    """
    end = time.monotonic() + _STARTS
    while True:
        before = client.status()
        if call != "install" and before.state == "Idle" and not before.warning:
            raise NothingInProgress(NOTHING)
        try:
            client.call(call, **arguments)
            return before
        except Wrong as error:
            if str(error) == NOTHING:
                raise NothingInProgress(NOTHING) from error
            is_trial = call == "commit" and before.state in ("Installed", "Trying")
            passes = is_trial or (call != "install" and before.state in _WITHOUT_UPDATE)
            if error.kind != "busy" or not passes or time.monotonic() > end:
                raise
        time.sleep(_AGAIN)


def _watch(watcher: Client, waiting: Sequence[str], updates: int) -> Status:
    """The status at which it waits for the user again.

    Args:
        waiting: the states in which the command has not begun.
        updates: how many had ended before the command.
    """
    began = time.monotonic()
    has_begun = False
    shown = ""
    for status in watcher.watch():
        has_begun = has_begun or status.state not in waiting or status.updates > updates
        if has_begun and (status.state in ("Idle", "Installed", "Proven") or status.wants_reboot):
            return status
        if not has_begun and time.monotonic() - began > _BEGUN:
            raise AgentError("the daemon has not begun; see `ota-agent status`")
        text = _progress(status)
        if text != shown and has_begun:
            shown = text
            logger.info("%s", text)
    raise AgentError("the daemon has ended; it continues when it starts again")


def _progress(status: Status) -> str:
    """A line for each tenth, as in the daemon's own log."""
    if status.state == "Downloading" and status.size:
        return f"install: slot {status.slot or '-'}: {status.percent // 10 * 10} %"
    return f"state {status.state}"
