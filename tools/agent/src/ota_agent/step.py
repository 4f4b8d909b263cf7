# SPDX-License-Identifier: Apache-2.0
"""What follows: the one function that decides, and touches nothing."""

from dataclasses import replace

from ota_agent import begin
from ota_agent.begin import Step
from ota_agent.started import MOST_RESTARTS, started
from ota_agent.states import (
    Answered,
    Cleaning,
    CommitAsked,
    Committed,
    Committing,
    Done,
    Downloaded,
    Downloading,
    Erring,
    Event,
    Failed,
    Failing,
    Fetched,
    Idle,
    Installed,
    Installing,
    NothingNew,
    Offered,
    Poll,
    PollDue,
    Proven,
    Rebooting,
    Reporting,
    RestartingBack,
    RollbackAsked,
    RollingBack,
    RunScripts,
    Started,
    State,
    Syncing,
    Trying,
    TryingBack,
)
from ota_agent.update import Update


class Unexpected(Exception):
    """The event cannot happen in the state, or is refused there; the text says why."""


def step(state: State, event: Event) -> Step:
    """What follows when an event happens in a state.

    Raises:
        Unexpected: nothing: the state stays as it is.
    """
    if isinstance(event, Started):
        return started(state, event)
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
            return begin.download(update)
        case Syncing(), NothingNew():
            return Step(
                Idle(),
                (RunScripts("Sync", "Leave", is_ignored=True), begin.ENTER_IDLE),
            )
        case Syncing(), Failed():
            return Step(Idle(), (RunScripts("Sync", "Error", is_ignored=True), begin.ENTER_IDLE))
        case Syncing(), Offered(update):
            return begin.download(update)
    raise _unexpected(state, event)


def _forward(
    state: Downloading | Downloaded | Installing | Installed | Rebooting, event: Event
) -> Step:
    update = state.update
    match state, event:
        case Downloading(), Fetched(artifact, target):
            return begin.wait(replace(update, artifact=artifact, target=target))
        case Downloading(), Failed(reason) | RollbackAsked(reason):
            return begin.discard(update, reason, "Download")
        case Downloaded(), Done():
            return begin.install(update)
        case Downloaded(), Failed(reason) | RollbackAsked(reason):
            return begin.discard(update, reason, "Download")
        case Installing(), Answered(wants_reboot, can_roll_back):
            update = replace(update, is_rebooting=wants_reboot)
            if update.is_standalone:  # what cannot be rolled back is committed with its install
                waits = can_roll_back or update.has_rootfs
                return Step(Installed(update)) if waits else begin.try_it(update)
            return begin.reboot(update) if wants_reboot else begin.try_it(update)
        case Installing(), Failed(reason):
            return begin.err(update, reason, "ArtifactInstall")
        case Installed(), CommitAsked():
            if update.is_rebooting:
                raise Unexpected("the update is not running yet: restart the device first")
            return begin.commit(update)
        case Installed(), RollbackAsked(reason):
            return begin.err(replace(update, is_manual=True), reason, "ArtifactInstall")
        case Rebooting(), Done():  # what wanted it restarted itself, and the device did not
            return begin.try_it(replace(update, has_rebooted=True))
        case Rebooting(), Failed(reason):
            return begin.err(update, reason, "ArtifactReboot")
    raise _unexpected(state, event)


def _trial(state: Trying | Proven | Committing | Committed, event: Event) -> Step:
    update = state.update
    match state, event:
        case Trying(), Done():
            is_undecided = update.is_standalone and update.has_rebooted
            return Step(Proven(update)) if is_undecided else begin.commit(update)
        case Trying(), Failed(reason):
            return begin.err(update, reason, "ArtifactReboot" if update.has_rebooted else "")
        case Trying() | Proven(), RollbackAsked(reason):
            by_hand = replace(update, is_manual=update.is_standalone)
            return begin.err(by_hand, reason, "ArtifactCommit")
        case Trying(), CommitAsked():
            raise Unexpected(
                "the update is still being tried: wait until its health checks are done"
            )
        case Proven(), CommitAsked():
            return begin.commit(update)
        case Committing(), Done():
            return begin.keep(update)
        case Committing(), Failed(reason):
            return begin.err(update, reason, "ArtifactCommit")
        case Committed(), Done() | Failed():
            return begin.clean(update)
    raise _unexpected(state, event)


def _back(state: State, event: Event) -> Step:
    match state, event:
        case Erring(update, _), Answered(_, can_roll_back):
            if can_roll_back:
                return begin.roll_back(update)
            return _back_as_far_as_can_be(update)
        case Erring(update, _), Failed():
            return _back_as_far_as_can_be(update)
        case RollingBack(update), Answered(wants_reboot, _):
            return begin.restart_back(update) if wants_reboot else begin.fail(update)
        case RollingBack(update), Failed(reason):
            return _back_by_the_bootloader(begin.inconsistent(_and(update, reason)))
        case RestartingBack(update), Done():
            return begin.try_back(update)
        case RestartingBack(update), Failed(reason):
            return begin.fail(begin.inconsistent(_and(update, reason)))
        case TryingBack(update), Done():
            return begin.fail(update if update.has_modules else replace(update, is_consistent=True))
        case TryingBack(update), Failed(reason):
            again = replace(update, restarts=update.restarts + 1)
            if again.restarts > MOST_RESTARTS:
                return begin.fail(begin.inconsistent(_and(update, reason)))
            return begin.restart_back(again)
        case Failing(update), Done() | Failed():
            return begin.clean(update)
        case Cleaning(update), Done() | Failed():
            return begin.tell(update)
        case Reporting(), Done() | Failed():
            return Step(Idle(), (begin.ENTER_IDLE,))
    raise _unexpected(state, event)


def _back_as_far_as_can_be(update: Update) -> Step:
    """A module cannot be rolled back, or does not say so; the root filesystem always can."""
    update = begin.inconsistent(update)
    return begin.roll_back(update) if update.has_rootfs else begin.fail(update)


def _back_by_the_bootloader(update: Update) -> Step:
    """The rollback failed; of a trial that runs, the next boot is one back all the same."""
    is_trial = update.has_rootfs and update.has_rebooted
    return begin.restart_back(update) if is_trial else begin.fail(update)


def _and(update: Update, reason: str) -> Update:
    """The update, once its rollback has failed as well."""
    text = f"{update.reason}; and then: {reason}"
    return replace(update, reason=text if reason not in update.reason else update.reason)


def _unexpected(state: State, event: Event) -> Unexpected:
    return Unexpected(f"{type(event).__name__} in state {type(state).__name__}")
