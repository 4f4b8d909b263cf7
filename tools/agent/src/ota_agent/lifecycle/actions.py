# SPDX-License-Identifier: Apache-2.0
"""What the agent does for an update, each action a value; engine/performer.py carries them out."""

from dataclasses import dataclass
from typing import Literal

Moment = Literal["Enter", "Leave", "Error"]
"""When a state script runs."""

Call = Literal[
    "ArtifactInstall",
    "ArtifactReboot",
    "ArtifactVerifyReboot",
    "ArtifactCommit",
    "ArtifactRollback",
    "ArtifactRollbackReboot",
    "ArtifactVerifyRollbackReboot",
    "ArtifactFailure",
    "Cleanup",
]
"""What payloads are asked to do. Source: Mender's update modules, protocol version 3."""


@dataclass(frozen=True, slots=True)
class RunScripts:
    """State scripts; a failure counts, unless it is of no use then.

    Attributes:
        is_ignored: what they end with changes nothing.
    """

    state: str
    moment: Moment
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the server; the event is `Offered`, `NothingNew` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the server where we are. That it cannot be reached is no failure; an abort is.

    Attributes:
        is_gate: it has to be reached.
    """

    status: str
    is_gate: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the artifact and store its payloads; the event is `Fetched` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Wait while somebody pauses the update before a state; it fails if somebody says so."""

    before: Literal["ArtifactInstall", "ArtifactReboot", "ArtifactCommit"]


@dataclass(frozen=True, slots=True)
class CallPayloads:
    """Have each payload do something; a rollback in reverse order, a root filesystem last.

    Attributes:
        is_ignored: what it ends with changes nothing.
    """

    call: Call
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the payloads about themselves; the event is `Answered` or `Failed`."""


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Run the health checks of the running system."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart what wants it: the device, after which no event follows, or what restarts itself."""


@dataclass(frozen=True, slots=True)
class SaveProvides:
    """Remember what the device provides now; after a failure that left it half changed, that."""


@dataclass(frozen=True, slots=True)
class SendLog:
    """Give the server the log of the deployment."""


Action = (
    RunScripts
    | Poll
    | Report
    | Fetch
    | Pass
    | CallPayloads
    | Ask
    | CheckHealth
    | Restart
    | SaveProvides
    | SendLog
)
