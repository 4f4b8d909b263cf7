# SPDX-License-Identifier: Apache-2.0
"""The agent has started with an update under way: it continues, or goes back."""

from dataclasses import replace

from ota_agent.lifecycle import enter
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.events import Started
from ota_agent.lifecycle.states import State, Step

MOST_REBOOTS = 20
"""More reboots while one update is under way, downloads aside, are a loop."""

_WENT_BACK = "the bootloader went back to the old slot"
_INTERRUPTED = "it was interrupted, and an update module cannot be called twice for this"

_SCRIPTS_OF = {
    s.Installed: "ArtifactInstall",
    s.Trying: "ArtifactReboot",
    s.Proven: "ArtifactCommit",
}
"""The state scripts that run when a state fails; others have scripts of their own name."""


def recover(state: State, event: Started) -> Step:
    """The agent has started: continue, or go back."""
    match state:
        case s.Idle() | s.Syncing():
            return enter.idle()
        case s.Downloading(update):
            return enter.download(update, is_again=True)
        case s.Downloaded(update):
            return enter.wait(update)
        case s.Committed(update) if event.trial == "rolled-back":  # it no longer loads
            return enter.err(update, event.why or _WENT_BACK, "ArtifactCommit")
        case s.Committed(update):
            return enter.keep(update)
        case s.Failing(update):
            return enter.fail(update)
        case s.Cleaning(update):
            return enter.clean(update)
        case s.Reporting(update):
            return enter.report(update)
    if event.has_rebooted and not isinstance(
        state, s.Installed | s.Proven
    ):  # these wait for a user
        reboots = state.update.reboots + 1
        state = replace(state, update=replace(state.update, reboots=reboots))
        if reboots > MOST_REBOOTS:
            reason = f"the device rebooted {reboots} times during the update"
            return enter.fail(enter.inconsistent(replace(state.update, reason=reason)))
    match state:
        case s.Erring(update, at):
            return enter.err(update, update.reason, at)
        case s.RollingBack(update):
            return enter.roll_back(update)
        case s.RebootingBack(update):
            return enter.try_back(update) if event.has_rebooted else enter.reboot_back(update)
        case s.TryingBack(update):
            return enter.try_back(update)
    return _recover_forward(state, event)


def _recover_forward(
    state: s.Installing | s.Installed | s.Rebooting | s.Trying | s.Proven | s.Committing,
    event: Started,
) -> Step:
    """On the way to a commit: what the bootloader did decides."""
    update = state.update
    at = _SCRIPTS_OF.get(type(state), state.mender_name)
    match state, event.trial:
        case _, "rolled-back":
            return enter.err(update, event.why or _WENT_BACK, at)
        case s.Installing() | s.Installed(), "running":
            return enter.try_it(replace(update, has_rebooted=True))
        case s.Installing(), _ if update.has_modules:
            return enter.err(update, _INTERRUPTED, at)
        case s.Installing(), _:
            return enter.install(update)
        case s.Installed() | s.Rebooting(), "none" if update.has_rootfs and event.has_rebooted:
            return enter.err(update, f"the bootloader did not start slot {update.target}", at)
        case s.Installed(), _:
            is_rebooting = update.is_rebooting and not event.has_rebooted
            return Step(s.Installed(replace(update, is_rebooting=is_rebooting)))
        case s.Rebooting(), _ if not event.has_rebooted:
            return enter.reboot(update)
        case s.Rebooting(), _:
            return enter.try_it(replace(update, has_rebooted=True))
        case s.Proven(), _ if not event.has_rebooted:
            return Step(state)
        case s.Trying() | s.Proven(), "none" if update.has_rootfs and update.has_rebooted:
            return enter.err(update, f"slot {update.target} no longer runs", at)
        case s.Trying() | s.Proven(), "committed":
            return enter.commit(update)
        case s.Trying() | s.Proven(), _:
            return enter.try_it(update)
        case s.Committing(), "committed" if update.has_modules:
            return enter.keep(update)  # the slot's commit is the last of all
        case s.Committing(), "committed":
            return enter.commit(update)  # once more: both copies of the environment must hold it
        case s.Committing(), "running" if not update.has_modules:
            return enter.commit(update)
        case s.Committing(), _ if not (update.has_modules or update.has_rootfs):
            return enter.commit(update)  # a trust file's can be repeated
        case s.Committing(), _:
            return enter.err(update, _INTERRUPTED, at)
    raise AssertionError(f"{state} after {event}: not decided")
