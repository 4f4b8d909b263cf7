# SPDX-License-Identifier: Apache-2.0
"""`install`, `commit`, `rollback` and `resume`: change what the device runs, by hand.

The running daemon does it, or else this process becomes the agent until it is done.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from ota_agent.address import Address
from ota_agent.api.status import Status
from ota_agent.cli.by_daemon import follow
from ota_agent.cli.console import log_to_console
from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import command, settings_of
from ota_agent.config.settings import Settings
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


def _add_options(parser: argparse.ArgumentParser) -> None:
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
        help="stop before this state; `ota-agent resume` continues. May be given several"
        f" times: {', '.join(STOPS)}",
    )


def _add_install_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", help="a URL, a file, or - for stdin")
    _add_options(parser)


@command(
    help="install an artifact; the next boot tries it",
    description="Streams an artifact into the passive slot, or to its update module, and has"
    " the bootloader try it at the next boot. An interrupted install continues when you call it"
    " again, or with `ota-agent resume`.",
    examples=(
        "ota-agent install https://updates.example.com/v2.mender",
        "ota-agent install /media/usb/v2.mender && reboot",
        "ssh build cat v2.mender | ota-agent install -",
    ),
    options=_add_install_options,
)
def install(args: argparse.Namespace) -> int:
    return _carry_out(args, "install", source=_source_of(args.artifact))


@command(
    help="keep the update that runs on trial",
    description="Keeps the update: the bootloader starts it from now on. Runs the health checks"
    " first, unless they have passed already. Keeps a trial that no known update began as it is.",
    examples=("ota-agent commit", "ota-agent commit || ota-agent rollback"),
    options=_add_options,
)
def commit(args: argparse.Namespace) -> int:
    return _carry_out(args, "commit")


@command(
    help="roll back the update that is not committed",
    description="Rolls back an update that was installed and not committed. If it runs"
    " already, the next boot starts the old system. So it does after a rollback of a trial that no"
    " known update began.",
    examples=("ota-agent rollback && reboot",),
    options=_add_options,
)
def rollback(args: argparse.Namespace) -> int:
    return _carry_out(args, "rollback", reason=BY_HAND)


@command(
    help="continue with an update that was interrupted or stopped",
    description="Continues with the update where a power cut, a killed agent or --stop-before"
    " interrupted it.",
    examples=("ota-agent resume",),
    options=_add_options,
)
def resume(args: argparse.Namespace) -> int:
    return _carry_out(args, "resume")


def _source_of(word: str) -> str:
    """The source for the daemon, whose working directory differs: a URL, or an absolute path."""
    if word == "-" or word.startswith(("http://", "https://")):
        return word
    if "://" in word:
        raise AgentError(f"{Address(word)}: is neither an http(s) URL nor a file")
    path = Path(word).absolute()
    if not path.exists():
        raise AgentError(f"{Address(word)}: no such file")
    return str(path)


def _carry_out(args: argparse.Namespace, call: Command, **arguments: Any) -> int:
    """Do it, and report how the update stands then; gives the exit code.

    Raises:
        NothingInProgress: there is no update that it could be about.
        AgentError: it cannot be done now, or failed.
    """
    settings = settings_of(args)
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
        print(f"Stopped before {name}. Use 'ota-agent {word}' to continue.")
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
    if agent.update is None and (call == "commit" or call == "rollback"):
        agent.end_stray(call)
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
            raise AgentError(f"the update is at {state}; `ota-agent resume` continues with it")
    if status.wants_reboot:
        print(REBOOT)
        return reboot
    return Exit.DONE
