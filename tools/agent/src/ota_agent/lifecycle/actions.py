# SPDX-License-Identifier: Apache-2.0
"""What the agent does for an update, each action a value; engine/performer.py carries them out."""

from dataclasses import dataclass
from typing import Literal

PausePoint = Literal["ArtifactInstall", "ArtifactReboot", "ArtifactCommit"]
"""The states before which an update can be paused."""

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
"""What payloads are told to do. Source: Mender's update modules, protocol version 3."""


@dataclass(frozen=True, slots=True)
class RunScripts:
    """Run the state scripts of a moment.

    Attributes:
        is_ignored: their failure changes nothing.
    """

    state: str
    moment: Moment
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the server; the event is `Offered`, `NothingNew` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the server where the update stands; the action fails if the server aborts the update.

    Attributes:
        must_reach: it fails, too, if the server stays out of reach for too long.
    """

    status: str
    must_reach: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the artifact and store its payloads; the event is `Fetched` or `Failed`."""


@dataclass(frozen=True, slots=True)
class WaitWhilePaused:
    """Wait while the update is paused before a state; fails if it is aborted."""

    before: PausePoint


@dataclass(frozen=True, slots=True)
class CallPayloads:
    """Have each payload do something; a rollback in reverse order, a root filesystem last.

    Attributes:
        is_ignored: its failure changes nothing.
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
class Reboot:
    """Reboot the device, after which no event follows, unless the payloads reboot it themselves."""


@dataclass(frozen=True, slots=True)
class SaveProvides:
    """Remember what the device provides now, also after a failure that left it half changed."""


@dataclass(frozen=True, slots=True)
class SendLog:
    """Give the server the log of the deployment."""


Action = (
    RunScripts
    | Poll
    | Report
    | Fetch
    | WaitWhilePaused
    | CallPayloads
    | Ask
    | CheckHealth
    | Reboot
    | SaveProvides
    | SendLog
)
