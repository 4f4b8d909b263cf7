# SPDX-License-Identifier: Apache-2.0
"""The states of an update, each a value. `step` in step.py says which follows which."""

from dataclasses import dataclass

from ota_agent.lifecycle.actions import Action
from ota_agent.lifecycle.update import Update


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


@dataclass(frozen=True, slots=True)
class Step:
    """What to remember, then what to do, in that order.

    The runtime writes the whole step to disk and syncs it, carries the actions out in order, and
    feeds the event that the last of them gives into `step`. After a power cut or a restart of the
    agent it does not go on with them: `Started` decides what becomes of them. So every action is
    safe to repeat, or `Started` does not repeat it.
    """

    state: State
    actions: tuple[Action, ...] = ()
