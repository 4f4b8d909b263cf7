# SPDX-License-Identifier: Apache-2.0
"""The root filesystem: the slot is written, the bootloader is told to try it, then to keep it.

Before the slot's first byte changes, the bootloader is told that it is not good; see
docs/design/boot-logic.md.
"""

import hashlib
import logging
from dataclasses import dataclass, field

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import is_trial, next_slot, trial_of
from ota_agent.device.slots import Slot
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call
from ota_agent.payloads import Progress, Reboot
from ota_agent.payloads.boot_logic import require_boot_logic
from ota_agent.payloads.checkpoint import Trail
from ota_agent.payloads.memory import require_room
from ota_agent.payloads.slot_writer import blank_slot, hash_of_slot, write_head, write_slot
from ota_artifact.contract import WHY
from ota_artifact.payload import Payload, PayloadFile

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class RootFilesystem:
    """The payload that is a root filesystem. See `Installer`.

    Attributes:
        target: the slot.
        trail: the download's checkpoints; None: it leaves none.
        is_comparing: read each block of the slot first, and write only what differs.
        is_reading_back: read the slot once more when it is written.
        sync_bytes: after so much there is a checkpoint [B].
        sync_interval: the same after so long [s].
    """

    boot: Boot
    target: Slot
    trail: Trail | None
    is_comparing: bool
    is_reading_back: bool
    sync_bytes: int
    sync_interval: float
    _head: bytes = field(default=b"", init=False)

    @property
    def slot(self) -> str:
        """See `Installer.slot`."""
        return self.target.name

    def store(self, payload: Payload, progress: Progress) -> None:
        """Write the slot but for its head, from the last checkpoint on if it is of this payload.

        Raises:
            AgentError: the slot is too small, or the device fails.
            ArtifactError: the payload is damaged.
        """
        require_boot_logic(payload.header.meta_data)
        require_room(payload.header.meta_data, self.boot.bootloader.read())
        self._head = self.trail.resume(payload, self.target) if self.trail else b""
        for file in payload.files():
            self._write(payload, file, progress)

    def finish(self) -> None:
        """Write the slot's head: it can be started from now on. See `Installer.finish`."""
        write_head(self.target.node, self._head)
        if self.is_reading_back and hash_of_slot(self.target.node, len(self._head)).digest() != (
            hashlib.sha256(self._head).digest()
        ):
            blank_slot(self.target.node)
            raise AgentError(
                f"{self.target.node}: its first {len(self._head)} B do not read back as they were"
                " written; the storage is failing: replace it"
            )
        self._head = b""

    def call(self, call: Call) -> None:
        """See `Installer.call`."""
        match call:
            case "ArtifactInstall":
                self._install()
            case "ArtifactVerifyReboot":
                self._require_trial()
            case "ArtifactCommit":
                self._require_trial()
                self.boot.keep(self.target)
            case "ArtifactRollback":
                self._roll_back()
            case "ArtifactVerifyRollbackReboot":
                self._require_back()
            case "Cleanup":
                self._discard()

    def wants_reboot(self) -> Reboot:
        """Whether another slot runs than the bootloader starts next."""
        following = next_slot(self.boot.slots, self.boot.bootloader.read())
        return "no" if following == self.boot.running() else "automatic"

    def can_roll_back(self) -> bool:
        """Always: the old slot is there."""
        return True

    def _write(self, payload: Payload, file: PayloadFile, progress: Progress) -> None:
        size = max(1, file.size)
        tenths = file.start * 10 // size

        def written(done: int) -> None:
            nonlocal tenths
            while tenths < done * 10 // size:
                tenths += 1
                logger.info("install: slot %s: %d %%", self.slot, tenths * 10)
            progress(done, file.size)

        def synced(done: int) -> None:
            if self.trail:
                mark = file.mark if file.mark and file.mark.done <= done else None
                self.trail.remember(payload, self.target, done, mark)

        progress(file.start, file.size)  # all of it may be there already
        done = write_slot(
            file.chunks(),
            self.target.node,
            file.size,
            start=file.start,
            is_comparing=self.is_comparing,
            begin=self._begin,
            progress=written,
            synced=synced,
            sync_bytes=self.sync_bytes,
            sync_interval=self.sync_interval,
        )
        self._head = done.head or self._head
        if self.is_reading_back:
            self._require_equal(file)

    def _begin(self) -> None:
        self.boot.distrust(self.target)

    def _require_equal(self, file: PayloadFile) -> None:
        found = hash_of_slot(self.target.node, file.size, self._head).hexdigest()
        if found != file.sha256:
            raise AgentError(
                f"{self.target.node}: reads back with the sha256 {found}, and {file.sha256} was"
                " written; the storage is failing: replace it"
            )

    def _install(self) -> None:
        environment = self.boot.bootloader.read()
        if not (is_trial(environment) and next_slot(self.boot.slots, environment) == self.target):
            if self.boot.target() != self.target:
                raise AgentError(
                    f"slot {self.slot} was written, and it is the one that runs now; install the"
                    " artifact again"
                )
            self.boot.try_next(self.target)

    def _require_trial(self) -> None:
        environment, running = self.boot.bootloader.read(), self.boot.running()
        trial = trial_of(self.boot.slots, running, self.slot, environment)
        if trial not in ("running", "committed"):
            why = environment.get(WHY)
            raise AgentError(
                f"slot {running.name} runs, and slot {self.slot} was to be tried"
                + (f": the bootloader says {why}" if why else "")
            )

    def _roll_back(self) -> None:
        old = self.boot.slots.other(self.target)
        environment = self.boot.bootloader.read()
        if is_trial(environment) or next_slot(self.boot.slots, environment) != old:
            self.boot.go_back(old)

    def _discard(self) -> None:
        """Have nothing start a slot whose update has failed, not even a bootloader of before."""
        if self.boot.is_passive(self.target):
            self.boot.distrust(self.target)
            blank_slot(self.target.node)

    def _require_back(self) -> None:
        running = self.boot.running()
        if running == self.target or is_trial(self.boot.bootloader.read()):
            raise AgentError(
                f"slot {running.name} runs, and not the old one; the device is rebooted again"
            )
