# SPDX-License-Identifier: Apache-2.0
"""Makes what installs each payload. What that needs is imported late: see `assemble`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ota_agent.admission.ring import KeyRing
from ota_agent.bootloader.boot import Boot
from ota_agent.config.settings import Settings
from ota_agent.device.second_home import keep
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import TRUST
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.payloads import Installer
from ota_agent.payloads.evidence import Evidence
from ota_artifact.errors import ArtifactError
from ota_artifact.provides import ROOTFS, TRUST_FILE
from ota_artifact.security_version import security_versions

if TYPE_CHECKING:
    from ota_agent.payloads.checkpoint import Trail
    from ota_artifact.header import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Installers:
    """The installers of this device.

    Attributes:
        boot: None if this device has no slots, and takes only update modules.
        evidence: shows that what is stored is the artifact's.
        ring: the keys that count now.
        no_slots: why not, if it should have some; empty otherwise.
    """

    settings: Settings
    store: Store
    boot: Boot | None
    device_type: str
    evidence: Evidence
    ring: KeyRing
    no_slots: str = ""

    def begin(self, header: "Header", trail: "Trail") -> dict[int, Installer]:
        """Make those that store an artifact's payloads, by their numbers; an empty one has none.

        Raises:
            AgentError: one cannot be stored here; nothing is changed but for modules' trees.
        """
        from ota_agent.payloads.module import UpdateModule

        types = [each.type for each in header.payloads]
        if types.count(ROOTFS) > 1:
            raise AgentError(
                f"artifact {header.artifact_name}: contains {types.count(ROOTFS)} root"
                " filesystems, but there is only one slot; write one artifact for each"
            )
        found: dict[int, Installer] = {}
        if ROOTFS in types:
            found[types.index(ROOTFS)] = self._root_filesystem("", trail)
        current = {**self.store.provides, "device_type": self.device_type}
        if TRUST_FILE in types:
            found[types.index(TRUST_FILE)] = self._trust_file(
                header.payloads[types.index(TRUST_FILE)].provides
            )
        for number, kind in enumerate(types):
            if kind not in (None, ROOTFS, TRUST_FILE):
                module = found[number] = UpdateModule(kind, number, self.settings.modules)
                module.begin(header, current)
        return found

    def of(self, update: Update) -> list[tuple[int, Installer]]:
        """Those of an update with their numbers, in the order of its install.

        A root filesystem is the last, since its install and its commit are those of all.

        Raises:
            AgentError: one cannot be made here.
        """
        from ota_agent.payloads.module import UpdateModule

        found: list[tuple[int, Installer]] = []
        for number, kind in enumerate(update.artifact.types if update.artifact else ()):
            if kind == ROOTFS:
                found.append((number, self._root_filesystem(update.target)))
            elif kind == TRUST_FILE and update.artifact:
                found.append((number, self._trust_file(update.artifact.provides)))
            elif kind is not None:
                module = UpdateModule(kind, number, self.settings.modules, evidence=self.evidence)
                found.append((number, module))
        return sorted(found, key=lambda each: bool(each[1].slot))

    def failed(self, update: Update) -> tuple[Installer, ...]:
        """That of the slot which an update has written, if the update has failed."""
        wrote = self.boot is not None and update.reason and update.target
        return (self._root_filesystem(update.target),) if wrote else ()

    def left(self) -> tuple[Installer, ...]:
        """Those of all payloads that were begun, also by a download that failed."""
        from ota_agent.payloads.module import modules_left

        return modules_left(self.settings.modules)

    def _trust_file(self, provides: Mapping[str, str]) -> Installer:
        from ota_agent.payloads.trust_file import TrustInstaller

        try:
            versions = {each.software: each.number for each in security_versions(provides)}
        except ArtifactError as error:
            raise AgentError(str(error)) from error
        return TrustInstaller(
            self.ring.path,
            check=self.ring.checked,
            taken=self.ring.taken,
            counting=lambda: self.ring.trusted().version,
            version=versions.get(TRUST, 0),
            done=keep,
        )

    def _root_filesystem(self, target: str, trail: "Trail | None" = None) -> Installer:
        """The one that writes a slot; without a name, the one that may be written now."""
        from ota_agent.payloads.rootfs import RootFilesystem

        if self.boot is None:
            why = f": {self.no_slots}" if self.no_slots else ""
            raise AgentError(
                f"the artifact holds a root filesystem, and this device has no slots{why}"
            )
        options = self.settings.download
        return RootFilesystem(
            boot=self.boot,
            target=self.boot.slots.of(target) if target else self.boot.target(),
            trail=trail,
            is_comparing=options.is_comparing,
            is_reading_back=options.is_reading_back,
            sync_bytes=options.checkpoint_bytes,
            sync_interval=options.checkpoint_interval,
        )
