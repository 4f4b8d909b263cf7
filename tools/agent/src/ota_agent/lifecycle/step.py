# SPDX-License-Identifier: Apache-2.0
"""What follows: the one function that decides, and touches nothing."""

from dataclasses import replace

from ota_agent.lifecycle import enter
from ota_agent.lifecycle.actions import Poll, RunScripts
from ota_agent.lifecycle.events import (
    Answered,
    CommitAsked,
    Done,
    Event,
    Failed,
    Fetched,
    NothingNew,
    Offered,
    PollDue,
    RollbackAsked,
    Started,
)
from ota_agent.lifecycle.recover import MOST_RESTARTS, recover
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
from ota_agent.lifecycle.update import Update


class Unexpected(Exception):
    """The event cannot happen in the state, or is refused there; the text says why."""


def step(state: State, event: Event) -> Step:
    """What follows when an event happens in a state.

    Raises:
        Unexpected: nothing: the state stays as it is.
    """
    if isinstance(event, Started):
        return recover(state, event)
    match state:
        case Idle() | Syncing():
            return _without_update(state, event)
        case Downloading() | Downloaded() | Installing() | Installed() | Rebooting():
            return _forward(state, event)
        case Trying() | Proven() | Committing() | Committed():
            return _trial(state, event)
        case _:
            return _back(state, event)


def _without_update(state: Idle | Syncing, event: Event) -> Step:
    match state, event:
        case Idle(), PollDue():
            scripts = RunScripts("Idle", "Leave", is_ignored=True), RunScripts("Sync", "Enter")
            return Step(Syncing(), (*scripts, Poll()))
        case Idle(), Offered(update) if update.is_standalone:
            return enter.download(update)
        case Syncing(), NothingNew():
            return Step(
                Idle(),
                (RunScripts("Sync", "Leave", is_ignored=True), enter.ENTER_IDLE),
            )
        case Syncing(), Failed():
            return Step(Idle(), (RunScripts("Sync", "Error", is_ignored=True), enter.ENTER_IDLE))
        case Syncing(), Offered(update):
            return enter.download(update)
    raise _unexpected(state, event)


def _forward(
    state: Downloading | Downloaded | Installing | Installed | Rebooting, event: Event
) -> Step:
    update = state.update
    match state, event:
        case Downloading(), Fetched(artifact, target):
            return enter.wait(replace(update, artifact=artifact, target=target))
        case Downloading(), Failed(reason) | RollbackAsked(reason):
            return enter.discard(update, reason, "Download")
        case Downloaded(), Done():
            return enter.install(update)
        case Downloaded(), Failed(reason) | RollbackAsked(reason):
            return enter.discard(update, reason, "Download")
        case Installing(), Answered(wants_reboot, can_roll_back):
            update = replace(update, is_rebooting=wants_reboot)
            if update.is_standalone:  # what cannot be rolled back is committed with its install
                waits = can_roll_back or update.has_rootfs
                return Step(Installed(update)) if waits else enter.try_it(update)
            return enter.reboot(update) if wants_reboot else enter.try_it(update)
        case Installing(), Failed(reason):
            return enter.err(update, reason, "ArtifactInstall")
        case Installed(), CommitAsked():
            if update.is_rebooting:
                raise Unexpected("the update is not running yet: restart the device first")
            return enter.commit(update)
        case Installed(), RollbackAsked(reason):
            return enter.err(replace(update, is_manual=True), reason, "ArtifactInstall")
        case Rebooting(), Done():  # what wanted it restarted itself, and the device did not
            return enter.try_it(replace(update, has_rebooted=True))
        case Rebooting(), Failed(reason):
            return enter.err(update, reason, "ArtifactReboot")
    raise _unexpected(state, event)


def _trial(state: Trying | Proven | Committing | Committed, event: Event) -> Step:
    update = state.update
    match state, event:
        case Trying(), Done():
            is_undecided = update.is_standalone and update.has_rebooted
            return Step(Proven(update)) if is_undecided else enter.commit(update)
        case Trying(), Failed(reason):
            return enter.err(update, reason, "ArtifactReboot" if update.has_rebooted else "")
        case Trying() | Proven(), RollbackAsked(reason):
            by_hand = replace(update, is_manual=update.is_standalone)
            return enter.err(by_hand, reason, "ArtifactCommit")
        case Trying(), CommitAsked():
            raise Unexpected(
                "the update is still being tried: wait until its health checks are done"
            )
        case Proven(), CommitAsked():
            return enter.commit(update)
        case Committing(), Done():
            return enter.keep(update)
        case Committing(), Failed(reason):
            return enter.err(update, reason, "ArtifactCommit")
        case Committed(), Done() | Failed():
            return enter.clean(update)
    raise _unexpected(state, event)


def _back(state: State, event: Event) -> Step:
    match state, event:
        case Erring(update, _), Answered(_, can_roll_back):
            if can_roll_back:
                return enter.roll_back(update)
            return _back_as_far_as_can_be(update)
        case Erring(update, _), Failed():
            return _back_as_far_as_can_be(update)
        case RollingBack(update), Answered(wants_reboot, _):
            return enter.restart_back(update) if wants_reboot else enter.fail(update)
        case RollingBack(update), Failed(reason):
            return _back_by_the_bootloader(enter.inconsistent(_and(update, reason)))
        case RestartingBack(update), Done():
            return enter.try_back(update)
        case RestartingBack(update), Failed(reason):
            return enter.fail(enter.inconsistent(_and(update, reason)))
        case TryingBack(update), Done():
            return enter.fail(update if update.has_modules else replace(update, is_consistent=True))
        case TryingBack(update), Failed(reason):
            again = replace(update, restarts=update.restarts + 1)
            if again.restarts > MOST_RESTARTS:
                return enter.fail(enter.inconsistent(_and(update, reason)))
            return enter.restart_back(again)
        case Failing(update), Done() | Failed():
            return enter.clean(update)
        case Cleaning(update), Done() | Failed():
            return enter.tell(update)
        case Reporting(), Done() | Failed():
            return Step(Idle(), (enter.ENTER_IDLE,))
    raise _unexpected(state, event)


def _back_as_far_as_can_be(update: Update) -> Step:
    """A module cannot be rolled back, or does not say so; the root filesystem always can."""
    update = enter.inconsistent(update)
    return enter.roll_back(update) if update.has_rootfs else enter.fail(update)


def _back_by_the_bootloader(update: Update) -> Step:
    """The rollback failed; of a trial that runs, the next boot is one back all the same."""
    is_trial = update.has_rootfs and update.has_rebooted
    return enter.restart_back(update) if is_trial else enter.fail(update)


def _and(update: Update, reason: str) -> Update:
    """The update, once its rollback has failed as well."""
    text = f"{update.reason}; and then: {reason}"
    return replace(update, reason=text if reason not in update.reason else update.reason)


def _unexpected(state: State, event: Event) -> Unexpected:
    return Unexpected(f"{type(event).__name__} in state {type(state).__name__}")
