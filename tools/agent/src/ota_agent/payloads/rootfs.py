# SPDX-License-Identifier: Apache-2.0
"""The root filesystem: the slot is written, the bootloader is told to try it, then to keep it."""

from dataclasses import dataclass

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import WHY, is_trial, next_slot, trial_of
from ota_agent.device.slots import Slot
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call


@dataclass(frozen=True, slots=True)
class RootFilesystem:
    """The payload that is a root filesystem, once its slot is written.

    Attributes:
        target: the slot.
    """

    boot: Boot
    target: Slot

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
            case _:
                pass

    def wants_reboot(self) -> bool:
        """Whether another slot runs than the bootloader starts next."""
        return next_slot(self.boot.slots, self.boot.bootloader.read()) != self.boot.running()

    def _install(self) -> None:
        environment = self.boot.bootloader.read()
        if not (is_trial(environment) and next_slot(self.boot.slots, environment) == self.target):
            found = self.boot.target()
            if found != self.target:
                raise AgentError(
                    f"slot {self.target.name} was written, and it is the one that runs now; install"
                    " the artifact again"
                )
            self.boot.try_next(self.target)

    def _require_trial(self) -> None:
        environment, running = self.boot.bootloader.read(), self.boot.running()
        trial = trial_of(self.boot.slots, running, self.target.name, environment)
        if trial not in ("running", "committed"):
            why = environment.get(WHY)
            raise AgentError(
                f"slot {running.name} runs, and slot {self.target.name} was to be tried"
                + (f": the bootloader says {why}" if why else "")
            )

    def _roll_back(self) -> None:
        old = self.boot.slots.other(self.target)
        environment = self.boot.bootloader.read()
        if is_trial(environment) or next_slot(self.boot.slots, environment) != old:
            self.boot.keep(old)

    def _require_back(self) -> None:
        running = self.boot.running()
        if running == self.target or is_trial(self.boot.bootloader.read()):
            raise AgentError(
                f"slot {running.name} runs, and not the old one; the device is restarted again"
            )
