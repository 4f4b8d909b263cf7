# SPDX-License-Identifier: Apache-2.0
"""The states of an update, each a value. `step` in step.py says which follows which."""

from dataclasses import dataclass
from typing import ClassVar

from ota_agent.lifecycle.actions import Action
from ota_agent.lifecycle.update import Update


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is under way."""

    mender_name: ClassVar[str] = "Idle"


@dataclass(frozen=True, slots=True)
class Syncing:
    """The agent asks the server for an update."""

    mender_name: ClassVar[str] = "Sync"


# The one exception to "no inheritance to share code": a data field, and no behaviour. The states
# below need no decorator of their own, since they add no field.
@dataclass(frozen=True, slots=True)
class UnderWay:
    """A state with an update.

    Attributes:
        mender_name: what Mender's documentation calls the state, where it does; the log says it.
    """

    update: Update
    mender_name: ClassVar[str]


class Downloading(UnderWay):
    """The artifact is read, and its payloads are stored where nothing uses them yet."""

    mender_name = "Download"


class Downloaded(UnderWay):
    """All is stored and verified; it may be installed once nobody pauses it."""

    mender_name = "Downloaded"


class Installing(UnderWay):
    """The payloads are installed; from its end on, the next boot is a trial."""

    mender_name = "ArtifactInstall"


class Installed(UnderWay):
    """A user asked for it: that user reboots the device, and commits or rolls back."""

    mender_name = "Installed"


class Rebooting(UnderWay):
    """The device reboots into the update."""

    mender_name = "ArtifactReboot"


class Trying(UnderWay):
    """The update runs, on trial: it has to prove itself."""

    mender_name = "ArtifactVerifyReboot"


class Proven(UnderWay):
    """A healthy trial that a user has to commit."""

    mender_name = "Proven"


class Committing(UnderWay):
    """It has proven itself, and stays."""

    mender_name = "ArtifactCommit"


class Committed(UnderWay):
    """It stays, whatever happens now."""

    mender_name = "Committed"


@dataclass(frozen=True, slots=True)
class Erring(UnderWay):
    """Something failed; can the payloads be rolled back?

    Attributes:
        at: the state script's name of the state that failed.
    """

    mender_name: ClassVar[str] = "Error"
    at: str


class RollingBack(UnderWay):
    """The payloads are rolled back."""

    mender_name = "ArtifactRollback"


class RebootingBack(UnderWay):
    """The device reboots into what it was before."""

    mender_name = "ArtifactRollbackReboot"


class TryingBack(UnderWay):
    """Is it what it was before?"""

    mender_name = "ArtifactVerifyRollbackReboot"


class Failing(UnderWay):
    """It has failed, and the device is as it was, unless a payload cannot be rolled back."""

    mender_name = "ArtifactFailure"


class Cleaning(UnderWay):
    """What is left of it is removed."""

    mender_name = "Cleanup"


class Reporting(UnderWay):
    """The agent reports to the server how it ended."""

    mender_name = "Report"


Forward = Downloading | Downloaded | Installing | Installed | Rebooting
OnTrial = Trying | Proven | Committing | Committed
Backward = Erring | RollingBack | RebootingBack | TryingBack | Failing | Cleaning | Reporting
State = Idle | Syncing | Forward | OnTrial | Backward


@dataclass(frozen=True, slots=True)
class Step:
    """What to remember, then what to do, in that order.

    The runtime writes the whole step to disk and syncs it, carries the actions out in order, and
    feeds the event that the last of them gives into `step`. After a power cut or a restart of the
    agent it does not continue with them: `Started` decides whether they are repeated. So every
    action is safe to repeat, or `Started` does not repeat it.
    """

    state: State
    actions: tuple[Action, ...] = ()
