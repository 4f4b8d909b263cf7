# SPDX-License-Identifier: Apache-2.0
"""Keeps the floor of security versions in both of its copies, and holds artifacts against it."""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ota_agent.admission.floor import check_floor
from ota_agent.admission.ring import KeyRing
from ota_agent.bootloader.boot import Boot
from ota_agent.config.ring import ring_of
from ota_agent.config.settings import Settings
from ota_agent.device.release import security_version_of
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import TRUST, Floor, from_variable, sentence, to_variable
from ota_agent.lifecycle.update import Artifact
from ota_agent.memory.runs import Running
from ota_agent.memory.store import Store
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.provides import ROOTFS
from ota_artifact.security_version import security_versions

if TYPE_CHECKING:
    from ota_artifact.header import Header

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorKeeper:
    """The floor of this device.

    Attributes:
        boot: None if this device has no slots: then there is one copy.
        doubt: why it is not known whether artifacts must be signed; empty if it is.
    """

    settings: Settings
    store: Store
    boot: Boot | None
    doubt: str = ""

    @property
    def ring(self) -> KeyRing:
        """The keys that count now."""
        return ring_of(self.settings, self.known, doubt=self.doubt)

    def known(self) -> Floor:
        """The floor: of each number the higher one of the two copies."""
        return self.store.floor.merged(from_variable(self._variable() or ""))

    def check(self, header: "Header") -> None:
        """Pass if an artifact may be installed, as far as its age goes.

        Raises:
            AgentError: it is too old, or nobody can say how old it is.
        """
        options = self.settings.keys
        if self.ring.is_downgrade_forbidden:
            versions = {**self.store.provides, **self.store.versions}
            check_floor(
                header,
                self.known(),
                versions,
                keys=self.ring.ids(),
                key=options.version,
            )

    def commit(self, artifact: Artifact, *, may_lower: bool = True) -> Floor:
        """Have the environment hold the floor once an artifact is committed; gives that floor.

        The memory follows, with what the device provides. After a cut between them, the agent
        comes here again.

        Args:
            may_lower: it is proven that the artifact says so; see `Evidence.proves`.
        """
        keys, before = self.ring.ids(), self.known()
        try:
            found = security_versions(artifact.provides)
        except ArtifactError as error:  # it was not compared, or an older agent has taken it
            logger.warning("the floor stays: %s", error)
            return before
        has_rootfs = ROOTFS in artifact.types
        passed_over = {TRUST} if has_rootfs else {TRUST, ROOTFS}
        versions = [each for each in found if each.software not in passed_over]
        if not may_lower:
            versions = [replace(each, lowers=()) for each in versions]
        after = before.committed(versions, artifact.key, keys).merged(self.ring.as_floor())
        old, new = before.of(ROOTFS, keys), after.of(ROOTFS, keys)
        is_risen = new is not None and new > (old or 0)
        is_only_way = is_risen and self.ring.is_downgrade_forbidden
        if after != before:
            rest = "; the bootloader does not fall back to the other slot" if is_only_way else ""
            logger.info("the floor is now %s%s", sentence(after), rest)
        self._tell(after, is_only_way=is_only_way)
        return after

    def settle(self, now: Running) -> str:
        """Have both copies hold the floor: one may be lost, or an older agent may have run.

        A device without any floor of its root filesystem takes what the slot that runs says of
        itself, if that is committed: the factory has installed it, or all was lost. Gives the
        floor for a user.
        """
        text = self._variable()
        floor = self.store.floor.merged(from_variable(text or "")).merged(self.ring.as_floor())
        said = security_version_of()
        if now.is_trial is False and said is not None and not floor.has(ROOTFS):
            floor = floor.merged(Floor({(ROOTFS, ""): said}))
        if floor != self.store.floor:
            try:
                self.store.save_floor(floor)
            except AgentError as error:
                logger.warning("the floor is not remembered: %s", error)
        if text is not None and text != to_variable(floor):
            self._tell(floor, is_only_way=False)
        return sentence(floor)

    def _variable(self) -> str | None:
        """The environment's copy; None if it cannot be read, which others tell."""
        try:
            return self.boot.floor() if self.boot else None
        except (AgentError, ProgramError) as error:
            logger.debug("the floor in the bootloader's environment is not known: %s", error)
            return None

    def _tell(self, floor: Floor, *, is_only_way: bool) -> None:
        """Have the environment hold it; if that cannot be, the memory has it."""
        if self.boot is None:
            return
        try:
            self.boot.raise_floor(to_variable(floor), is_only_way=is_only_way)
        except (AgentError, ProgramError) as error:
            logger.warning("the floor is not in the bootloader's environment: %s", error)
