# SPDX-License-Identifier: Apache-2.0
"""A command that is the agent for as long as it takes, where no daemon is; or asks the daemon."""

import argparse
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager

from ota_agent.api.status import Status
from ota_agent.cli.console import log_to_console
from ota_agent.cli.exits import Exit
from ota_agent.config.settings import Settings
from ota_agent.engine.agent import BY_HAND, Agent
from ota_agent.engine.assembly import assemble
from ota_agent.engine.owner import ownership
from ota_agent.engine.runtime import RebootWanted, Stopped
from ota_agent.errors import AgentError
from ota_agent.lifecycle import states as s

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
"""Lines that scripts look for. Source: Mender's client."""

_INCONSISTENT = "It could not be taken back whole: the system may be in an inconsistent state."


def add_stop_before(parser: argparse.ArgumentParser) -> None:
    """Add `--stop-before`."""
    parser.add_argument(
        "--stop-before",
        action="append",
        default=[],
        choices=STOPS,
        metavar="STATE",
        help=f"stop before this state, and go on with `ota-agent resume`; may be given several"
        f" times: {', '.join(STOPS)}",
    )


def add_reboot_exit_code(parser: argparse.ArgumentParser) -> None:
    """Add `--reboot-exit-code`."""
    parser.add_argument(
        "--reboot-exit-code",
        action="store_true",
        help="end with 4 if the device must be rebooted now",
    )


@contextmanager
def being_the_agent(settings: Settings, args: argparse.Namespace) -> Iterator[Agent]:
    """Be the agent.

    Raises:
        Taken: another process is.
        AgentError: something is missing that it cannot do without.
    """
    stops: Container[type[s.State]] = [STOPS[each] for each in getattr(args, "stop_before", ())]
    with ExitStack() as stack:
        stack.enter_context(ownership(settings.device.lock))
        console = log_to_console(args.log_level)
        stack.callback(console.end)
        agent = stack.enter_context(assemble(settings, stop_before=stops))
        stack.enter_context(agent.serve())
        yield agent


def carried_out(
    agent: Agent, args: argparse.Namespace, work: Callable[[], None], *, is_rollback: bool = False
) -> int:
    """Do it, say where the update stands then, and give the exit code.

    Args:
        is_rollback: that it fails is what is wanted.
    """
    is_four = getattr(args, "reboot_exit_code", False)
    try:
        work()
    except Stopped as stopped:
        names = {state: name for name, state in STOPS.items()}
        word = "commit" if isinstance(agent.state, s.Installed | s.Proven) else "resume"
        print(f"Stopped before {names[stopped.before]}. Use 'ota-agent {word}' to go on.")
        return Exit.DONE
    except RebootWanted as reboot:
        if isinstance(agent.state, s.Rebooting):
            print(REBOOT)
            return Exit.REBOOT_NEEDED if is_four else Exit.DONE
        if not reboot.is_manual:
            reason = agent.update.reason if agent.update else ""
            raise AgentError(f"{reason}. Rolled back; reboot the device.") from None
        print(REBOOT)
        return Exit.REBOOT_NEEDED if is_four else Exit.DONE
    return _outcome(agent, is_four=is_four, is_rollback=is_rollback)


def check_end(status: Status, *, is_rollback: bool) -> None:
    """Pass if an update ended as it was wanted to.

    Args:
        is_rollback: it was to be taken back.

    Raises:
        AgentError: it did not; the text says what the device is now.
    """
    if is_rollback and status.result == "success":
        raise AgentError("it is committed already, and cannot be taken back; install another one")
    is_back = status.reason == BY_HAND and status.is_consistent
    is_wanted = is_back if is_rollback else status.result != "failure"
    if not is_wanted:
        system = "System not modified." if status.is_consistent else _INCONSISTENT
        raise AgentError(f"{status.reason}. {system}")


def _outcome(agent: Agent, *, is_four: bool, is_rollback: bool) -> int:
    state = agent.state
    match state:
        case s.Installed(update):
            print(COMMIT)
            if update.is_rebooting:
                print(REBOOT)
                return Exit.REBOOT_NEEDED if is_four else Exit.DONE
            return Exit.DONE
        case s.Proven():
            print("The update runs on trial, and is healthy. Use 'ota-agent commit' to keep it.")
            return Exit.DONE
        case s.Idle():
            check_end(agent.bulletin.get(), is_rollback=is_rollback)
            return Exit.DONE
    raise AgentError(f"stands at {type(state).__name__}; `ota-agent resume` goes on")
