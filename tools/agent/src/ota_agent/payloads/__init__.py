# SPDX-License-Identifier: Apache-2.0
"""What installs a payload: one thing for each type of them, all behind one small interface."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from ota_agent.lifecycle.actions import Call
    from ota_artifact.payload import Payload

Reboot = Literal["no", "automatic", "custom"]
"""Whether a payload wants a reboot: of the device, by us; or of whatever it is, by itself."""

Progress = Callable[[int, int], None]
"""Told how much of a payload is stored, and how much it has in all [B]."""


class Installer(Protocol):
    """One payload of an update; one made after a restart goes on with what is there."""

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
