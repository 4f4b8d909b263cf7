# SPDX-License-Identifier: Apache-2.0
"""What an update is: where it came from, what it holds, how it went so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ota_agent.address import Address
from ota_artifact.provides import ROOTFS, TRUST_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What the header of an artifact says, as far as it matters once the payloads are stored.

    Attributes:
        name: of the artifact.
        group: empty if it provides none.
        types: of the payloads, in their order; None for one that is empty.
        provides: of all payloads together.
        clears: patterns of provides to forget; None if the artifact does not say.
        digest: SHA-256 of its manifest, in hex; empty if an older agent has read it.
        key: id of the key that has verified it; empty if none has, or an older agent has read it.
        size: of its root filesystem [B]; 0 if it has none, or an older agent has read it.
    """

    name: str
    group: str = ""
    types: tuple[str | None, ...] = ()
    provides: Mapping[str, str] = field(default_factory=dict)
    clears: tuple[str, ...] | None = None
    digest: str = ""
    key: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update under way.

    Attributes:
        source: where the artifact is read from.
        deployment: the server's name for it; empty if a user of the device asked for it.
        artifact: None until its header was read.
        target: the slot that is written, A or B; empty if none is.
        is_rebooting: whether a payload needs a reboot.
        has_rebooted: whether the device was rebooted into it.
        reboots: how often the device was rebooted while it was under way.
        reason: why it fails; empty while it does not.
        is_consistent: whether the device is as it was before, if it fails.
        is_manual: a user rolls it back, and reboots the device when it suits.
    """

    source: Address
    deployment: str = ""
    artifact: Artifact | None = None
    target: str = ""
    is_rebooting: bool = False
    has_rebooted: bool = False
    reboots: int = 0
    reason: str = ""
    is_consistent: bool = True
    is_manual: bool = False

    @property
    def has_rootfs(self) -> bool:
        """Whether a slot is written, as far as it is known."""
        return self.artifact is not None and ROOTFS in self.artifact.types

    @property
    def has_modules(self) -> bool:
        """Whether an update module takes part, as far as it is known."""
        return self.artifact is not None and bool(
            {*self.artifact.types} - {None, ROOTFS, TRUST_FILE}
        )

    @property
    def is_standalone(self) -> bool:
        """Whether a user decides on its commit."""
        return not self.deployment
