# SPDX-License-Identifier: Apache-2.0
"""What installs a payload: one thing for each type of them, all behind one small interface."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ota_agent.bounds import bounded

if TYPE_CHECKING:
    from ota_agent.lifecycle.actions import Call
    from ota_artifact.payload import Payload

Reboot = Literal["no", "automatic", "custom"]
"""Whether a payload needs a reboot: of the device, by us; or of whatever it is, by itself."""

UMASK = 0o022
"""Of programs that make files for the system, whatever the agent's own is."""

Progress = Callable[[int, int], None]
"""Told how much of a payload is stored, and how much it has in all [B]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOptions:
    """Update modules.

    Attributes:
        folders: where they are; of two for the same payload type, the first folder's runs.
        payloads: where their working trees are, one for each payload of an artifact.
        timeout: how long one call of one may take [s]; then it fails, and its process group is
            killed.
        keep_free: what a payload that is stored for a module leaves free on its filesystem [B].
    """

    folders: tuple[Path, ...] = (
        Path("/usr/share/ota/modules/v3"),
        Path("/usr/share/mender/modules/v3"),
    )
    payloads: Path = Path("/data/ota/payloads")
    timeout: float = bounded(14400.0, least=0.1)
    keep_free: int = 1 << 20


class Installer(Protocol):
    """One payload of an update; one made after a restart continues with what is there."""

    @property
    def slot(self) -> str:
        """The slot that it writes, A or B, and then it comes last; empty if it writes none."""
        ...

    def store(self, payload: "Payload", progress: Progress) -> None:
        """Read the payload's files, and put them where nothing uses them yet.

        Raises:
            AgentError, ArtifactError, ProgramError, OSError: it cannot; the text says why.
        """
        ...

    def finish(self) -> None:
        """All of the artifact is verified: what was held back until then is stored as well.

        Raises:
            AgentError: it cannot; the text says why.
        """
        ...

    def call(self, call: "Call") -> None:
        """Do something; safe to repeat, but for an update module's install and commit.

        Raises:
            AgentError, ProgramError, OSError: it failed; the text says why.
        """
        ...

    def wants_reboot(self) -> Reboot:
        """What it wants now: after its install, or after its rollback.

        Raises:
            AgentError, ProgramError: it does not say.
        """
        ...

    def can_roll_back(self) -> bool:
        """Whether `ArtifactRollback` brings back what was there before.

        Raises:
            AgentError, ProgramError: it does not say.
        """
        ...
