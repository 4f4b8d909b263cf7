# SPDX-License-Identifier: Apache-2.0
"""The status in two or three lines for a user to read."""

import time
from collections.abc import Callable, Iterator, Mapping

from ota_agent.api.status import Status
from ota_artifact.terminal import indented

_SAYS: Mapping[str, str] = {
    "Idle": "No update is under way",
    "Syncing": "Asking the server for an update",
    "Downloading": "Downloading",
    "Downloaded": "Downloaded, not installed yet",
    "Installing": "Installing",
    "Installed": "Installed: commit it, or roll it back",
    "Rebooting": "The device reboots into the update",
    "Trying": "The update runs on trial",
    "Proven": "The update runs on trial and is healthy: commit it, or roll it back",
    "Committing": "Committing",
    "Committed": "Committed",
    "Erring": "The update has failed",
    "RollingBack": "Rolling back",
    "RebootingBack": "The device reboots into the old system",
    "TryingBack": "Checking that the device is as it was before",
    "Failing": "The update has failed; ending it",
    "Cleaning": "Cleaning up",
    "Reporting": "Reporting the outcome to the server",
}

_REBOOT = "Installed: reboot the device, then commit it; or roll it back"

_BY: Mapping[str, str] = {
    "device": "a user of the device",
    "server": "the server",
    "window": "the maintenance window",
    "disabled": "updates being switched off",
}


def lines(
    status: Status, clock: Callable[[float], time.struct_time] = time.localtime
) -> Iterator[str]:
    """Each line without its end.

    Args:
        clock: gives the local time of seconds since the epoch.
    """
    yield headline(status)
    yield indented(_runs(status))
    if status.floor:
        yield indented(f"It never goes back below the security version {status.floor}")
    if status.bootloader:
        yield indented(f"The bootloader {status.bootloader}")
    if status.data:
        yield indented(status.data)
    if status.state == "Idle":
        yield from map(indented, _between_updates(status, clock))
    if status.warning:
        yield indented(f"Warning: {status.warning}")


def headline(status: Status) -> str:
    """What it is doing, in one line, unless it failed with more to say."""
    return indented(_headline(status))


def _headline(status: Status) -> str:
    if status.waits_for:
        by = f" by {_BY.get(status.paused_by, status.paused_by)}" if status.paused_by else ""
        return f"{_what(status)}: paused before {status.waits_for}{by}"
    said = _SAYS.get(status.state, status.state)
    if status.state == "Idle":
        return f"{said}{_ended(status)}"
    if status.state == "Installed" and status.wants_reboot:
        said = _REBOOT
    what = f"{said}: {_what(status)}" if _what(status) else said
    if status.state == "Downloading":
        return f"{what}{_progress(status)}"
    doing = f" ({status.doing})" if status.doing else ""
    reason = f": {status.reason}" if status.reason else ""
    return f"{what}{doing}{reason}"


def _what(status: Status) -> str:
    """Which update, and into which slot."""
    what = status.artifact or status.source
    slot = f"slot {status.slot}" if status.slot else ""
    return " to ".join(filter(None, (what, slot)))


def _progress(status: Status) -> str:
    if not status.done and not status.size:
        return ""
    of = f" of {_mb(status.size)}, {status.percent} %" if status.size else ""
    rate = f", {status.rate / 1e6:.1f} MB/s" if status.rate else ""
    note = f"; {status.note}" if status.note else ""
    return f": {_mb(status.done)}{of}{rate}{note}"


def _ended(status: Status) -> str:
    match status.result:
        case "success":
            return "; the last one succeeded"
        case "failure":
            return f"; the last one failed: {status.reason or 'without a reason'}"
        case _:
            return ""


def _runs(status: Status) -> str:
    what = "an unknown artifact" if status.installed in ("", "unknown") else status.installed
    if status.state in ("Trying", "Proven") and status.slot == status.running_slot != "":
        old, what = what, f"{status.artifact} on trial"
        slot = f"slot {status.running_slot}"
        return (
            f"The device runs {what}, {slot}; until it is committed, the device can return to {old}"
        )
    slot = f", slot {status.running_slot}" if status.running_slot else ""
    deployment = f"; deployment {status.deployment}" if status.deployment else ""
    return f"The device runs {what}{slot}{deployment}"


def _between_updates(status: Status, clock: Callable[[float], time.struct_time]) -> Iterator[str]:
    if not status.is_enabled:
        yield "Updates are switched off"
    elif status.next_poll:
        window = f"; it installs {status.window}" if status.window else ""
        yield f"It asks the server at {time.strftime('%H:%M:%S', clock(status.next_poll))}{window}"
    elif status.window:
        yield f"It installs {status.window}"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
