# SPDX-License-Identifier: Apache-2.0
"""The states of an update, what happens to it, and what the agent does.

Each is a value. `step` in step.py says which follows which; runtime.py carries actions out.
"""

from dataclasses import dataclass
from typing import Literal

from ota_agent.update import Artifact, Update

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

Trial = Literal["none", "running", "committed", "rolled-back"]
"""What the bootloader's environment and the running slot say of a trial boot."""


# States.


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is under way."""


@dataclass(frozen=True, slots=True)
class Syncing:
    """The server is asked."""


@dataclass(frozen=True, slots=True)
class Downloading:
    """The artifact is read, and its payloads are stored where nothing uses them yet."""

    update: Update


@dataclass(frozen=True, slots=True)
class Downloaded:
    """All is stored and verified; it may be installed once nobody pauses it."""

    update: Update


@dataclass(frozen=True, slots=True)
class Installing:
    """The payloads are installed; from its end on, the next boot is a trial."""

    update: Update


@dataclass(frozen=True, slots=True)
class Installed:
    """A person asked for it: that person restarts the device, and commits or rolls back."""

    update: Update


@dataclass(frozen=True, slots=True)
class Rebooting:
    """The device restarts into the update."""

    update: Update


@dataclass(frozen=True, slots=True)
class Trying:
    """The update runs, on trial: it has to prove itself."""

    update: Update


@dataclass(frozen=True, slots=True)
class Proven:
    """A healthy trial that a person has to commit."""

    update: Update


@dataclass(frozen=True, slots=True)
class Committing:
    """It has proven itself, and stays."""

    update: Update


@dataclass(frozen=True, slots=True)
class Committed:
    """It stays, whatever happens now."""

    update: Update


@dataclass(frozen=True, slots=True)
class Erring:
    """Something failed; can the payloads be rolled back?

    Attributes:
        at: the state script's name of the state that failed.
    """

    update: Update
    at: str


@dataclass(frozen=True, slots=True)
class RollingBack:
    """The payloads are taken back."""

    update: Update


@dataclass(frozen=True, slots=True)
class RestartingBack:
    """The device restarts into what it was before."""

    update: Update


@dataclass(frozen=True, slots=True)
class TryingBack:
    """Is it what it was before?"""

    update: Update


@dataclass(frozen=True, slots=True)
class Failing:
    """It has failed, and the device is as it was, unless a payload cannot be rolled back."""

    update: Update


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is left of it is taken away."""

    update: Update


@dataclass(frozen=True, slots=True)
class Reporting:
    """The server is told how it ended."""

    update: Update


State = (
    Idle
    | Syncing
    | Downloading
    | Downloaded
    | Installing
    | Installed
    | Rebooting
    | Trying
    | Proven
    | Committing
    | Committed
    | Erring
    | RollingBack
    | RestartingBack
    | TryingBack
    | Failing
    | Cleaning
    | Reporting
)


# Events.


@dataclass(frozen=True, slots=True)
class PollDue:
    """It is time to ask the server."""


@dataclass(frozen=True, slots=True)
class NothingNew:
    """The server has no update for us."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The server, or a person at the device, wants an update installed."""

    update: Update


@dataclass(frozen=True, slots=True)
class Fetched:
    """All payloads are stored."""

    artifact: Artifact
    target: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the payloads say of themselves.

    Attributes:
        wants_reboot: one of them does.
        can_roll_back: all of them can.
    """

    wants_reboot: bool
    can_roll_back: bool


@dataclass(frozen=True, slots=True)
class Done:
    """All actions were carried out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An action failed; those after it were not carried out."""

    reason: str


@dataclass(frozen=True, slots=True)
class CommitAsked:
    """A person says that it stays."""


@dataclass(frozen=True, slots=True)
class RollbackAsked:
    """A person, or the server, says that it goes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    """The agent has started with an update under way.

    Attributes:
        has_rebooted: the device has, too; otherwise it was the agent alone.
        trial: what the bootloader made of it; of an update without a root filesystem always none.
        why: the bootloader's reason for a rollback.
    """

    has_rebooted: bool
    trial: Trial = "none"
    why: str = ""


Event = (
    PollDue
    | NothingNew
    | Offered
    | Fetched
    | Answered
    | Done
    | Failed
    | CommitAsked
    | RollbackAsked
    | Started
)


# Actions.


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
