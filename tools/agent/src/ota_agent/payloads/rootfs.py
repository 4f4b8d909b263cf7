# SPDX-License-Identifier: Apache-2.0
"""The root filesystem: the slot is written, the bootloader is told to try it, then to keep it."""

from dataclasses import dataclass

from ota_agent.bootloader.boot import Boot
from ota_agent.device.slots import Slot, trial_of
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call

_TRIAL, _WHY = "upgrade_available", "ota_rollback"


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
        return self.boot.slots.next(self.boot.bootloader.read()) != self.boot.running()

    def _install(self) -> None:
        environment = self.boot.bootloader.read()
        is_told = environment.get(_TRIAL) == "1"
        if not (is_told and self.boot.slots.next(environment) == self.target):
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
            why = environment.get(_WHY)
            raise AgentError(
                f"slot {running.name} runs, and slot {self.target.name} was to be tried"
                + (f": the bootloader says {why}" if why else "")
            )

    def _roll_back(self) -> None:
        old = self.boot.slots.other(self.target)
        environment = self.boot.bootloader.read()
        if environment.get(_TRIAL) == "1" or self.boot.slots.next(environment) != old:
            self.boot.keep(old)

    def _require_back(self) -> None:
        running = self.boot.running()
        if running == self.target or self.boot.bootloader.read().get(_TRIAL) == "1":
            raise AgentError(
                f"slot {running.name} runs, and not the old one; the device is restarted again"
            )
