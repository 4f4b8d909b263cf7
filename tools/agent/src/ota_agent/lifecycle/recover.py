# SPDX-License-Identifier: Apache-2.0
"""The agent has started with an update under way: it goes on, or back."""

from dataclasses import replace

from ota_agent.lifecycle import enter
from ota_agent.lifecycle.events import Started
from ota_agent.lifecycle.states import (
    Cleaning,
    Committed,
    Committing,
    Downloaded,
    Downloading,
    Erring,
    Failing,
    Idle,
    Installed,
    Installing,
    Proven,
    Rebooting,
    Reporting,
    RestartingBack,
    RollingBack,
    State,
    Step,
    Syncing,
    Trying,
    TryingBack,
)

MOST_RESTARTS = 20
"""Restarts of the device while one update is under way, downloads aside: then it is a loop."""


_INTERRUPTED = "it was interrupted, and an update module cannot be called twice for this"


_SCRIPTS_OF = {
    Installing: "ArtifactInstall",
    Installed: "ArtifactInstall",
    Rebooting: "ArtifactReboot",
    Trying: "ArtifactReboot",
    Proven: "ArtifactCommit",
    Committing: "ArtifactCommit",
}
"""The state scripts that run when a state fails."""


def recover(state: State, event: Started) -> Step:
    """The agent has started: go on, or go back."""
    match state:
        case Idle() | Syncing():
            return Step(Idle(), (enter.ENTER_IDLE,))
        case Downloading(update):
            return enter.download(update, is_again=True)
        case Downloaded(update):
            return enter.wait(update)
        case Committed(update):
            return enter.keep(update)
        case Failing(update):
            return enter.fail(update)
        case Cleaning(update):
            return enter.clean(update)
        case Reporting(update):
            return enter.tell(update)
    if event.has_rebooted and not isinstance(state, Installed | Proven):  # which wait for a person
        restarts = state.update.restarts + 1
        state = replace(state, update=replace(state.update, restarts=restarts))
        if restarts > MOST_RESTARTS:
            reason = f"the device restarted {restarts} times during the update"
            return enter.fail(enter.inconsistent(replace(state.update, reason=reason)))
    match state:
        case Erring(update, at):
            return enter.err(update, update.reason, at)
        case RollingBack(update):
            return enter.roll_back(update)
        case RestartingBack(update):
            return enter.try_back(update) if event.has_rebooted else enter.restart_back(update)
        case TryingBack(update):
            return enter.try_back(update)
    return _recover_forward(state, event)


def _recover_forward(
    state: Installing | Installed | Rebooting | Trying | Proven | Committing, event: Started
) -> Step:
    """On the way to a commit: what the bootloader did decides."""
    update = state.update
    at = _SCRIPTS_OF[type(state)]
    match state, event.trial:
        case _, "rolled-back":
            return enter.err(update, event.why or "the bootloader went back to the old slot", at)
        case Installing(), "running":
            return enter.try_it(replace(update, has_rebooted=True))
        case Installing(), _:
            return (
                enter.err(update, _INTERRUPTED, at) if update.has_modules else enter.install(update)
            )
        case Installed(), "running":
            return enter.try_it(replace(update, has_rebooted=True))
        case Installed(), "none" if update.has_rootfs and event.has_rebooted:
            return enter.err(update, f"the bootloader did not start slot {update.target}", at)
        case Installed(), _:
            restarted = replace(update, is_rebooting=update.is_rebooting and not event.has_rebooted)
            return Step(Installed(restarted))
        case Rebooting(), _ if not event.has_rebooted:
            return enter.reboot(update)
        case Rebooting(), "none" if update.has_rootfs:
            return enter.err(update, f"the bootloader did not start slot {update.target}", at)
        case Rebooting(), _:
            return enter.try_it(replace(update, has_rebooted=True))
        case Proven(), _ if not event.has_rebooted:
            return Step(state)
        case ((Trying() | Proven()), "none") if update.has_rootfs and update.has_rebooted:
            return enter.err(update, f"slot {update.target} does not run any more", at)
        case ((Trying() | Proven()), "committed"):
            return enter.commit(update)
        case ((Trying() | Proven()), _):
            return enter.try_it(update)
        case Committing(), "committed" if update.has_modules:
            return enter.keep(update)  # the slot's commit is the last of all
        case Committing(), "committed":
            return enter.commit(update)  # once more: both copies of the environment must hold it
        case Committing(), "running" if not update.has_modules:
            return enter.commit(update)
        case Committing(), _:
            return enter.err(update, _INTERRUPTED, at)
    raise AssertionError(f"{state} after {event}: not decided")
