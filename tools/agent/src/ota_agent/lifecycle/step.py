# SPDX-License-Identifier: Apache-2.0
"""What follows: the one function that decides, and touches nothing."""

from dataclasses import replace

from ota_agent.errors import AgentError
from ota_agent.lifecycle import enter
from ota_agent.lifecycle import events as e
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.actions import Poll, RunScripts
from ota_agent.lifecycle.recover import MOST_REBOOTS, recover
from ota_agent.lifecycle.states import State, Step
from ota_agent.lifecycle.update import Update


class Unexpected(AgentError):
    """The event cannot happen in the state, or is refused there; the text says why."""


def step(state: State, event: e.Event) -> Step:
    """What follows when an event happens in a state.

    Raises:
        Unexpected: nothing: the state stays as it is.
    """
    if isinstance(event, e.Started):
        return recover(state, event)
    match state:
        case s.Idle() | s.Syncing():
            return _without_update(state, event)
        case s.Downloading() | s.Downloaded() | s.Installing() | s.Installed() | s.Rebooting():
            return _forward(state, event)
        case s.Trying() | s.Proven() | s.Committing() | s.Committed():
            return _on_trial(state, event)
        case _:
            return _backward(state, event)


def _without_update(state: s.Idle | s.Syncing, event: e.Event) -> Step:
    match state, event:
        case s.Idle(), e.PollDue():
            scripts = RunScripts("Idle", "Leave", is_ignored=True), RunScripts("Sync", "Enter")
            return Step(s.Syncing(), (*scripts, Poll()))
        case s.Syncing(), e.NothingNew():
            return Step(s.Idle(), (RunScripts("Sync", "Leave", is_ignored=True), enter.ENTER_IDLE))
        case s.Syncing(), e.Failed():
            return Step(s.Idle(), (RunScripts("Sync", "Error", is_ignored=True), enter.ENTER_IDLE))
        case s.Syncing(), e.Offered(update):
            return enter.download(update)
        case s.Idle(), e.Offered(update) if update.is_standalone:
            return enter.download(update)
    raise _unexpected(state, event)


def _forward(state: s.Forward, event: e.Event) -> Step:
    update = state.update
    match state, event:
        case s.Downloading(), e.Fetched(artifact, target):
            return enter.wait(replace(update, artifact=artifact, target=target))
        case s.Downloaded(), e.Done():
            return enter.install(update)
        case s.Downloading() | s.Downloaded(), e.Failed(reason) | e.RollbackAsked(reason):
            return enter.discard(update, reason)
        case s.Installing(), e.Answered(wants_reboot, can_roll_back):
            update = replace(update, is_rebooting=wants_reboot)
            if update.is_standalone:  # what cannot be rolled back is committed with its install
                waits = can_roll_back or update.has_rootfs
                return Step(s.Installed(update)) if waits else enter.try_it(update)
            return enter.reboot(update) if wants_reboot else enter.try_it(update)
        case s.Installing(), e.Failed(reason):
            return enter.err(update, reason, "ArtifactInstall")
        case s.Installed(), e.CommitAsked():
            if update.is_rebooting:
                raise Unexpected("the update is not running yet: reboot the device first")
            return enter.commit(update)
        case s.Installed(), e.RollbackAsked(reason):
            return enter.err(replace(update, is_manual=True), reason, "ArtifactInstall")
        case s.Rebooting(), e.Done():  # the payloads rebooted what they wanted, not the device
            return enter.try_it(replace(update, has_rebooted=True))
        case s.Rebooting(), e.Failed(reason):
            return enter.err(update, reason, "ArtifactReboot")
    raise _unexpected(state, event)


def _on_trial(state: s.OnTrial, event: e.Event) -> Step:
    update = state.update
    match state, event:
        case s.Trying(), e.Done():
            is_undecided = update.is_standalone and update.has_rebooted
            return Step(s.Proven(update)) if is_undecided else enter.commit(update)
        case s.Trying(), e.Failed(reason):
            return enter.err(update, reason, "ArtifactReboot" if update.has_rebooted else "")
        case s.Trying() | s.Proven(), e.RollbackAsked(reason):
            by_hand = replace(update, is_manual=update.is_standalone)
            return enter.err(by_hand, reason, "ArtifactCommit")
        case s.Trying(), e.CommitAsked():
            raise Unexpected("the update is on trial: wait until its health checks are done")
        case s.Proven(), e.CommitAsked():
            return enter.commit(update)
        case s.Committing(), e.Done():
            return enter.keep(update)
        case s.Committing(), e.Failed(reason):
            return enter.err(update, reason, "ArtifactCommit")
        case s.Committed(), e.Done() | e.Failed():
            return enter.clean(update)
    raise _unexpected(state, event)


def _backward(state: s.Backward, event: e.Event) -> Step:
    match state, event:
        case s.Erring(update), e.Answered(_, True):
            return enter.roll_back(update)
        case s.Erring(update), e.Answered() | e.Failed():  # the root filesystem always can
            update = enter.inconsistent(update)
            return enter.roll_back(update) if update.has_rootfs else enter.fail(update)
        case s.RollingBack(update), e.Answered(wants_reboot, _):
            return enter.reboot_back(update) if wants_reboot else enter.fail(update)
        case s.RollingBack(update), e.Failed(reason):
            update = enter.inconsistent(_and(update, reason))
            is_trial = update.has_rootfs and update.has_rebooted  # any boot ends it
            return enter.reboot_back(update) if is_trial else enter.fail(update)
        case s.RebootingBack(update), e.Done():
            return enter.try_back(update)
        case s.RebootingBack(update), e.Failed(reason):
            return enter.fail(enter.inconsistent(_and(update, reason)))
        case s.TryingBack(update), e.Done():
            return enter.fail(update if update.has_modules else replace(update, is_consistent=True))
        case s.TryingBack(update), e.Failed(reason):
            again = replace(update, reboots=update.reboots + 1)
            if again.reboots > MOST_REBOOTS:
                return enter.fail(enter.inconsistent(_and(update, reason)))
            return enter.reboot_back(again)
        case s.Failing(update), e.Done() | e.Failed():
            return enter.clean(update)
        case s.Cleaning(update), e.Done() | e.Failed():
            return enter.report(update)
        case s.Reporting(), e.Done() | e.Failed():
            return enter.idle()
    raise _unexpected(state, event)


def _and(update: Update, reason: str) -> Update:
    """The update, once its rollback has failed as well."""
    text = f"{update.reason}; and then: {reason}"
    return replace(update, reason=text if reason not in update.reason else update.reason)


def _unexpected(state: State, event: e.Event) -> Unexpected:
    return Unexpected(f"{type(event).__name__} in state {type(state).__name__}")
