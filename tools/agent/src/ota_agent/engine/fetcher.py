# SPDX-License-Identifier: Apache-2.0
"""Fetches an update for the performer. What that needs is imported late: see `assemble`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ota_agent.admission.acceptance import check_acceptance
from ota_agent.admission.downgrade import check_downgrade, check_has_version
from ota_agent.admission.keys import load_keys
from ota_agent.api.status import Bulletin
from ota_agent.config.settings import Settings
from ota_agent.control.controls import Controls
from ota_agent.download.source.retry import Surroundings
from ota_agent.engine.installers import Installers
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.update import ROOTFS, Update
from ota_agent.memory.store import Store
from ota_agent.payloads.scripts import Scripts
from ota_agent.trial import boot_log

if TYPE_CHECKING:
    import urllib3

    from ota_artifact.header import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Reads the artifacts of updates, and has their payloads stored."""

    settings: Settings
    store: Store
    pool: "Callable[[], urllib3.PoolManager]"
    installers: Installers
    scripts: Scripts
    controls: Controls
    bulletin: Bulletin
    device_type: str

    def fetch(self, update: Update) -> Fetched:
        """Fetch one, from the checkpoint on if there is one.

        Raises:
            AgentError, ArtifactError, ProgramError, OSError: see `Fetch.run`.
        """
        from ota_agent.download.fetch import Fetch, Progress
        from ota_agent.download.pace import Pace

        pace = Pace()

        def show(progress: Progress) -> None:
            self.bulletin.change(
                rate=float(pace.of(progress.received)),
                artifact=progress.artifact,
                slot=progress.slot,
                size=progress.total or progress.size,
                done=progress.read if progress.total else progress.done,
                note=progress.event,
            )

        self.store.put(boot_log.BOOTS, str(boot_log.newest(self.settings.boot_log)))
        fetch = Fetch(
            update,
            options=self.settings.download,
            pool=self.pool,
            memory=self.store,
            keys=load_keys(self.settings.keys),
            accept=self._accept,
            begin=self.installers.begin,
            scripts=self.scripts,
            progress=show,
            surroundings=Surroundings(sleep=self.controls.wait, check=self.controls.check),
        )
        return fetch.run()

    def _accept(self, header: "Header") -> None:
        options, provides = self.settings.keys, self.store.provides
        check_acceptance(header, self.device_type, provides)
        if options.forbid_downgrade:
            has_rootfs = any(each.type == ROOTFS for each in header.payloads)
            check_has_version(header.provides, has_rootfs=has_rootfs, key=options.version)
            check_downgrade(header.provides, provides, options.version)
