# SPDX-License-Identifier: Apache-2.0
"""What each state begins with: what is remembered, then what is done, in Mender's order.

Source: mender, the docs of state scripts and of update modules; mender-update's state machine.
"""

from dataclasses import replace

from ota_agent.lifecycle import actions as a
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.states import Step
from ota_agent.lifecycle.update import Update

ENTER_IDLE = a.RunScripts("Idle", "Enter", is_ignored=True)


def download(update: Update, *, is_again: bool = False) -> Step:
    """Read the artifact; again after a restart."""
    is_polled = not update.is_standalone and not is_again
    leave = (a.RunScripts("Sync", "Leave"),) if is_polled else ()
    report = _if_asked_by_server(update, a.Report("downloading"))
    enter = a.RunScripts("Download", "Enter")
    return Step(s.Downloading(update), (*leave, *report, enter, a.Fetch()))


def wait(update: Update) -> Step:
    """All is stored; it may be paused here."""
    pause = _if_asked_by_server(update, a.WaitWhilePaused("ArtifactInstall"))
    return Step(s.Downloaded(update), (a.RunScripts("Download", "Leave"), *pause))


def install(update: Update) -> Step:
    """Install what is stored."""
    report = _if_asked_by_server(update, a.Report("installing"))
    return Step(s.Installing(update), (*report, *_with_scripts("ArtifactInstall"), a.Ask()))


def reboot(update: Update) -> Step:
    """Reboot into the update."""
    pause, report = a.WaitWhilePaused("ArtifactReboot"), a.Report("rebooting")
    return Step(
        s.Rebooting(update),
        (
            *_if_asked_by_server(update, pause, report),
            a.RunScripts("ArtifactReboot", "Enter"),
            a.CallPayloads("ArtifactReboot"),
            a.Reboot(),
        ),
    )


def try_it(update: Update) -> Step:
    """The update runs: after a reboot if it wanted one, else at once."""
    leave = _if_asked_by_server(update, a.RunScripts("ArtifactReboot", "Leave"))
    verify = (a.CallPayloads("ArtifactVerifyReboot"), *leave) if update.has_rebooted else ()
    report = a.Report("installing", must_reach=True)
    pause = a.WaitWhilePaused("ArtifactCommit")
    prove = _if_asked_by_server(update, report, pause)
    return Step(s.Trying(update), (*verify, a.CheckHealth(), *prove))


def commit(update: Update) -> Step:
    """It has proven itself."""
    scripts = a.RunScripts("ArtifactCommit", "Enter")
    return Step(s.Committing(update), (scripts, a.CallPayloads("ArtifactCommit")))


def keep(update: Update) -> Step:
    """It is committed."""
    scripts = a.RunScripts("ArtifactCommit", "Leave", is_ignored=True)
    return Step(s.Committed(update), (scripts, a.SaveProvides()))


def err(update: Update, reason: str, at: str) -> Step:
    """Something failed in a state; empty: in none that has scripts."""
    scripts = (a.RunScripts(at, "Error", is_ignored=True),) if at else ()
    return Step(s.Erring(replace(update, reason=update.reason or reason), at), (*scripts, a.Ask()))


def discard(update: Update, reason: str) -> Step:
    """Nothing was installed: there is nothing to roll back."""
    scripts = a.RunScripts("Download", "Error", is_ignored=True)
    return Step(s.Cleaning(replace(update, reason=reason)), (scripts, a.CallPayloads("Cleanup")))


def roll_back(update: Update) -> Step:
    """Roll back what was installed."""
    roll_back = _with_scripts("ArtifactRollback", are_scripts_ignored=True)
    return Step(s.RollingBack(update), (*roll_back, a.Ask()))


def reboot_back(update: Update) -> Step:
    """Reboot into what was there before."""
    return Step(
        s.RebootingBack(update),
        (
            a.RunScripts("ArtifactRollbackReboot", "Enter", is_ignored=True),
            a.CallPayloads("ArtifactRollbackReboot", is_ignored=True),
            a.Reboot(),
        ),
    )


def try_back(update: Update) -> Step:
    """Look whether it is as before."""
    scripts = a.RunScripts("ArtifactRollbackReboot", "Leave", is_ignored=True)
    return Step(s.TryingBack(update), (a.CallPayloads("ArtifactVerifyRollbackReboot"), scripts))


def fail(update: Update) -> Step:
    """It has failed, and all that can be rolled back is."""
    fail = _with_scripts("ArtifactFailure", is_ignored=True, are_scripts_ignored=True)
    save = () if update.is_consistent else (a.SaveProvides(),)
    return Step(s.Failing(update), (*fail, *save))


def clean(update: Update) -> Step:
    """Remove what is left."""
    return Step(s.Cleaning(update), (a.CallPayloads("Cleanup"),))


def idle() -> Step:
    """The update is over."""
    return Step(s.Idle(), (ENTER_IDLE,))


def report(update: Update) -> Step:
    """Tell the server how it ended."""
    if update.is_standalone:
        return idle()
    log = (a.SendLog(),) if update.reason else ()
    status = "failure" if update.reason else "success"
    return Step(s.Reporting(update), (*log, a.Report(status)))


def inconsistent(update: Update) -> Update:
    """The update, once it is known that the device is not as before."""
    return replace(update, is_consistent=False)


def _if_asked_by_server(update: Update, *actions: a.Action) -> tuple[a.Action, ...]:
    """What is done only for a deployment of the server, and not for an update by hand."""
    return () if update.is_standalone else actions


def _with_scripts(
    call: a.Call, *, is_ignored: bool = False, are_scripts_ignored: bool = False
) -> tuple[a.Action, ...]:
    return (
        a.RunScripts(call, "Enter", is_ignored=are_scripts_ignored),
        a.CallPayloads(call, is_ignored=is_ignored),
        a.RunScripts(call, "Leave", is_ignored=are_scripts_ignored),
    )
