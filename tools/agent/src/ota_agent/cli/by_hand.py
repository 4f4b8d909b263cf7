# SPDX-License-Identifier: Apache-2.0
"""What install, commit, rollback and resume have in common: who does it, and how it is reported.

The running daemon does it, or else this process becomes the agent until it is done.
"""

import argparse
from collections.abc import Iterable
from typing import Any, Literal

from ota_agent.api.status import Status
from ota_agent.cli.by_daemon import follow
from ota_agent.cli.console import log_to_console
from ota_agent.cli.exits import Exit
from ota_agent.cli.options import add_common
from ota_agent.config.settings import Settings, load_settings
from ota_agent.engine.agent import BY_HAND, Agent
from ota_agent.engine.assembly import assemble
from ota_agent.engine.owner import Taken, ownership
from ota_agent.engine.runtime import RebootWanted, Stopped
from ota_agent.errors import AgentError
from ota_agent.lifecycle import states as s

Command = Literal["install", "commit", "rollback", "resume"]

STOPS: dict[str, type[s.State]] = {
    "ArtifactInstall_Enter": s.Installing,
    "ArtifactCommit_Enter": s.Committing,
    "ArtifactCommit_Leave": s.Committed,
    "ArtifactRollback_Enter": s.RollingBack,
    "ArtifactFailure_Enter": s.Failing,
    "Cleanup": s.Cleaning,
}
"""Where `--stop-before` can stop. Source: mender-update --help."""

REBOOT = "At least one payload requested a reboot of the device it updated."
COMMIT = (
    "Installed, but not committed.\n"
    "Use 'ota-agent commit' to update, or 'ota-agent rollback' to roll back the update."
)
DONE: dict[Command, str] = {
    "install": "Installed and committed.",
    "commit": "Committed.",
    "rollback": "Rolled back.",
    "resume": "Done.",
}
"""What is printed at the end of each. Scripts look for these lines. Source: Mender's client."""

_INCONSISTENT = (
    "It could not be rolled back completely: the system may be in an inconsistent state."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all four."""
    parser.add_argument(
        "--reboot-exit-code",
        action="store_true",
        help="exit with 4 if the device has to be rebooted now",
    )
    parser.add_argument(
        "--stop-before",
        action="append",
        default=[],
        choices=STOPS,
        metavar="STATE",
        help="stop before this state; `ota-agent resume` goes on. May be given several"
        f" times: {', '.join(STOPS)}",
    )
    add_common(parser)


def carry_out(args: argparse.Namespace, call: Command, **arguments: Any) -> int:
    """Do it, and report how the update stands then; gives the exit code.

    Raises:
        NothingInProgress: there is no update that it could be about.
        AgentError: it cannot be done now, or failed.
    """
    settings = load_settings(args.config)
    console = log_to_console(args.log_level)
    try:
        status = _become_agent(settings, args.stop_before, call, arguments)
    except Taken:
        if arguments.get("source") == "-" or args.stop_before:
            raise AgentError(
                "the daemon is running: it can neither read this stdin nor stop before a state;"
                " pass a file or a URL, or stop the daemon first"
            ) from None
        status = follow(settings.device.socket, call, arguments)
    except Stopped as stopped:
        (name,) = (name for name, state in STOPS.items() if state is stopped.before)
        console.end()
        word = "commit" if name == "ArtifactCommit_Enter" else "resume"
        print(f"Stopped before {name}. Use 'ota-agent {word}' to go on.")
        return Exit.DONE
    finally:
        console.end()
    return _report(status, call, reboot=Exit.REBOOT_NEEDED if args.reboot_exit_code else Exit.DONE)


def _become_agent(
    settings: Settings, stops: Iterable[str], call: Command, arguments: dict[str, Any]
) -> Status:
    """Be the agent until it is done; gives the status at the end.

    Raises:
        Taken: another process is the agent.
        Stopped: before one of ``stops``.
    """
    stop_before = [STOPS[each] for each in stops]
    with ownership(settings.device.lock), assemble(settings, stop_before=stop_before) as agent:
        try:
            with agent.serve():
                _work(agent, call, arguments)
        except RebootWanted:
            agent.live.change(wants_reboot=True)
        return agent.live.get()


def _work(agent: Agent, call: Command, arguments: dict[str, Any]) -> None:
    if call == "install":
        agent.install(**arguments)
        return
    agent.require()
    if not (call == "rollback" and isinstance(agent.state, s.Downloading | s.Downloaded)):
        agent.runtime.start()  # after a reboot, see how the trial went
    if isinstance(agent.state, s.Idle):
        return
    if call == "commit":
        agent.commit()
    elif call == "rollback":
        agent.roll_back(**arguments)


def _report(status: Status, call: Command, *, reboot: Exit) -> int:
    """Print how the update stands; gives the exit code.

    Args:
        reboot: the exit code if the device has to be rebooted.

    Raises:
        AgentError: it did not end as it should.
    """
    is_by_hand = status.reason == BY_HAND and call in ("rollback", "resume")
    match status.state:
        case "Installed":
            print(COMMIT)
        case "Proven":
            print("The update runs on trial, and is healthy. Use 'ota-agent commit' to keep it.")
        case "RebootingBack" if not is_by_hand:
            raise AgentError(f"{status.reason}. Rolled back; reboot the device.")
        case "Idle" if call == "rollback" and status.result == "success":
            raise AgentError("the update is already committed; install another one to replace it")
        case "Idle" if status.result == "failure" and not (is_by_hand and status.is_consistent):
            system = "System not modified." if status.is_consistent else _INCONSISTENT
            raise AgentError(f"{status.reason}. {system}")
        case "RebootingBack" | "Idle":
            print(DONE["rollback" if is_by_hand else call])
        case state if not status.wants_reboot:
            raise AgentError(f"the update is at {state}; `ota-agent resume` goes on with it")
    if status.wants_reboot:
        print(REBOOT)
        return reboot
    return Exit.DONE
