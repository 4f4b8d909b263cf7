# SPDX-License-Identifier: Apache-2.0
"""What happens to an update, each event a value."""

from dataclasses import dataclass
from typing import Literal

from ota_agent.lifecycle.update import Artifact, Update

Trial = Literal["none", "running", "committed", "rolled-back"]
"""What the bootloader's environment and the running slot say of a trial boot."""


@dataclass(frozen=True, slots=True)
class PollDue:
    """It is time to ask the server."""


@dataclass(frozen=True, slots=True)
class NothingNew:
    """The server has no update for us."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The server, or a user at the device, asks for an update."""

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
    """A user wants to keep the update."""


@dataclass(frozen=True, slots=True)
class RollbackAsked:
    """A user, or the server, wants the update rolled back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    """The agent has started with an update under way.

    Attributes:
        has_rebooted: the device was rebooted; otherwise the agent alone was restarted.
        trial: how the trial ended; always none for an update without a root filesystem.
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
