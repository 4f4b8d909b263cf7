# SPDX-License-Identifier: Apache-2.0
"""What each state begins with: what is remembered, then what is done, in Mender's order.

Source: mender, the docs of state scripts and of update modules; mender-update's state machine.
"""

from dataclasses import replace
from typing import Literal

from ota_agent.lifecycle.actions import (
    Action,
    Ask,
    CallPayloads,
    CheckHealth,
    Fetch,
    Pass,
    Report,
    Restart,
    RunScripts,
    SaveProvides,
    SendLog,
)
from ota_agent.lifecycle.states import (
    Cleaning,
    Committed,
    Committing,
    Downloaded,
    Downloading,
    Erring,
    Failing,
    Idle,
    Installing,
    Rebooting,
    Reporting,
    RestartingBack,
    RollingBack,
    Step,
    Trying,
    TryingBack,
)
from ota_agent.lifecycle.update import Update

ENTER_IDLE = RunScripts("Idle", "Enter", is_ignored=True)


def download(update: Update, *, is_again: bool = False) -> Step:
    """Read the artifact; again after a restart."""
    is_polled = not update.is_standalone and not is_again
    leave = (RunScripts("Sync", "Leave"),) if is_polled else ()
    return Step(
        Downloading(update),
        (*leave, *_report(update, "downloading"), RunScripts("Download", "Enter"), Fetch()),
    )


def wait(update: Update) -> Step:
    """All is stored; somebody may pause it here."""
    return Step(Downloaded(update), (RunScripts("Download", "Leave"), *_pass(update, "Install")))


def install(update: Update) -> Step:
    """Install what is stored."""
    return Step(
        Installing(update),
        (
            *_report(update, "installing"),
            RunScripts("ArtifactInstall", "Enter"),
            CallPayloads("ArtifactInstall"),
            RunScripts("ArtifactInstall", "Leave"),
            Ask(),
        ),
    )


def reboot(update: Update) -> Step:
    """Restart into the update."""
    return Step(
        Rebooting(update),
        (
            *_pass(update, "Reboot"),
            *_report(update, "rebooting"),
            RunScripts("ArtifactReboot", "Enter"),
            CallPayloads("ArtifactReboot"),
            Restart(),
        ),
    )


def try_it(update: Update) -> Step:
    """The update runs: after a restart if it wanted one, else at once."""
    verify = (CallPayloads("ArtifactVerifyReboot"), *_leave_reboot(update))
    gate = () if update.is_standalone else (Report("installing", is_gate=True),)
    return Step(
        Trying(update),
        (
            *(verify if update.has_rebooted else ()),
            CheckHealth(),
            *gate,
            *_pass(update, "Commit"),
        ),
    )


def _leave_reboot(update: Update) -> tuple[Action, ...]:
    return () if update.is_standalone else (RunScripts("ArtifactReboot", "Leave"),)


def commit(update: Update) -> Step:
    """It has proven itself."""
    return Step(
        Committing(update),
        (RunScripts("ArtifactCommit", "Enter"), CallPayloads("ArtifactCommit")),
    )


def keep(update: Update) -> Step:
    """It is committed."""
    return Step(
        Committed(update),
        (RunScripts("ArtifactCommit", "Leave", is_ignored=True), SaveProvides()),
    )


def err(update: Update, reason: str, at: str) -> Step:
    """Something failed in a state; empty: in none that has scripts."""
    scripts = (RunScripts(at, "Error", is_ignored=True),) if at else ()
    return Step(Erring(replace(update, reason=update.reason or reason), at), (*scripts, Ask()))


def discard(update: Update, reason: str, at: str) -> Step:
    """Nothing was installed: there is nothing to roll back."""
    failed = replace(update, reason=reason)
    scripts = RunScripts(at, "Error", is_ignored=True)
    return Step(Cleaning(failed), (scripts, CallPayloads("Cleanup")))


def roll_back(update: Update) -> Step:
    """Take back what was installed."""
    return Step(
        RollingBack(update),
        (
            RunScripts("ArtifactRollback", "Enter", is_ignored=True),
            CallPayloads("ArtifactRollback"),
            RunScripts("ArtifactRollback", "Leave", is_ignored=True),
            Ask(),
        ),
    )


def restart_back(update: Update) -> Step:
    """Restart into what was there before."""
    return Step(
        RestartingBack(update),
        (
            RunScripts("ArtifactRollbackReboot", "Enter", is_ignored=True),
            CallPayloads("ArtifactRollbackReboot", is_ignored=True),
            Restart(),
        ),
    )


def try_back(update: Update) -> Step:
    """Look whether it is as before."""
    return Step(
        TryingBack(update),
        (
            CallPayloads("ArtifactVerifyRollbackReboot"),
            RunScripts("ArtifactRollbackReboot", "Leave", is_ignored=True),
        ),
    )


def fail(update: Update) -> Step:
    """It has failed, and all that can be taken back is."""
    return Step(
        Failing(update),
        (
            RunScripts("ArtifactFailure", "Enter", is_ignored=True),
            CallPayloads("ArtifactFailure", is_ignored=True),
            RunScripts("ArtifactFailure", "Leave", is_ignored=True),
            *(() if update.is_consistent else (SaveProvides(),)),
        ),
    )


def clean(update: Update) -> Step:
    """Take away what is left."""
    return Step(Cleaning(update), (CallPayloads("Cleanup"),))


def tell(update: Update) -> Step:
    """Tell the server how it ended."""
    if update.is_standalone:
        return Step(Idle(), (ENTER_IDLE,))
    log = (SendLog(),) if update.reason else ()
    status = "failure" if update.reason else "success"
    return Step(Reporting(update), (*log, Report(status)))


def inconsistent(update: Update) -> Update:
    """The update, once it is known that the device is not as before."""
    return replace(update, is_consistent=False)


def _report(update: Update, status: str) -> tuple[Action, ...]:
    return () if update.is_standalone else (Report(status),)


def _pass(update: Update, before: Literal["Install", "Reboot", "Commit"]) -> tuple[Action, ...]:
    names: dict[str, Pass] = {
        "Install": Pass("ArtifactInstall"),
        "Reboot": Pass("ArtifactReboot"),
        "Commit": Pass("ArtifactCommit"),
    }
    return () if update.is_standalone else (names[before],)
