# SPDX-License-Identifier: Apache-2.0
"""Whether a trial that cannot reach the server stays: the one function that decides."""

from dataclasses import dataclass
from typing import Literal, assert_never

from ota_agent.trial.health import CommitOptions

Verdict = Literal["commit", "wait", "fail"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with the trial, and why, as the log has it."""

    verdict: Verdict
    why: str


def decide(options: CommitOptions, unreachable: float) -> Decision:
    """What to do with a healthy trial while the server is unreachable.

    Args:
        unreachable: how long the server has been out of reach since the trial began [s].
    """
    match options.policy:
        case "local":
            return Decision("commit", "the health checks are passed, and policy is local")
        case "grace" if unreachable >= options.grace:
            return Decision(
                "commit",
                "the health checks are passed, and the server is out of reach for"
                f" {_time(unreachable)}: policy is grace, {_time(options.grace)}",
            )
        case "require-server" if unreachable >= options.server_patience:
            return Decision(
                "fail",
                f"the server is out of reach for {_time(unreachable)}, and policy is"
                f" require-server, {_time(options.server_patience)}; a board that is often offline"
                " wants the policy grace or local",
            )
        case "grace":
            left = options.grace - unreachable
        case "require-server":
            left = options.server_patience - unreachable
        case _:
            assert_never(options.policy)
    return Decision("wait", f"the server is out of reach; waiting for it, {_time(left)} more")


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
