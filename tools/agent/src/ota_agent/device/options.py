# SPDX-License-Identifier: Apache-2.0
"""Which device this is: its slots, its bootloader, its folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ota_artifact.device_files import LAYOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """Which device this is.

    Attributes:
        device_type: what artifacts must be for; empty: as the file ``device_type`` in ``data``
            says.
        data: folder for what outlives an update: the agent's state, its key, its logs.
        run: folder for the agent's socket and lock; gone after a reboot.
        layout: the disk's layout, as `ota-board layout --json` prints it; it names the slots.
        slot_a: block device of slot A, in place of what the layout says.
        slot_b: block device of slot B, in place of what the layout says.
        running: the slot that runs, A or B; empty: the one that is mounted as root. For trials on
            a disk that this device does not run from.
        bootloader: whose environment says which slot is next; auto: U-Boot's if there is a
            configuration for it, else GRUB's.
        environment: configuration of the environment's tools, or the file of the bootloader
            ``file``; empty: /etc/fw_env.config, or /etc/mender_grubenv.config.
        boot_id: file with another text after each boot, as the kernel has it.
        reboot: the command that reboots the device.
    """

    device_type: str = ""
    data: Path = Path("/data/ota")
    run: Path = Path("/run/ota")
    layout: Path = Path(LAYOUT)
    slot_a: str = ""
    slot_b: str = ""
    running: Literal["", "A", "B"] = ""
    bootloader: Literal["auto", "u-boot", "grub", "file"] = "auto"
    environment: str = ""
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    reboot: tuple[str, ...] = ("reboot",)

    @property
    def store(self) -> Path:
        """The file of the agent's state."""
        return self.data / "state.db"

    @property
    def socket(self) -> Path:
        """Where the agent can be talked to."""
        return self.run / "agent.sock"

    @property
    def lock(self) -> Path:
        """Held by the one process that is the agent."""
        return self.run / "agent.lock"

    @property
    def claim(self) -> Path:
        """Which process is at work on the trial that runs."""
        return self.run / "trial"
