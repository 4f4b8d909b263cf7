# SPDX-License-Identifier: Apache-2.0
"""Which bootloader this device has."""

from pathlib import Path

from ota_agent.bootloader import Bootloader
from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError

U_BOOT = Path("/etc/fw_env.config")
"""libubootenv's configuration."""
GRUB = Path("/etc/mender_grubenv.config")
"""That of Mender's tools for GRUB's environment."""


def find_bootloader(options: DeviceOptions, offsets: tuple[int, ...]) -> Bootloader:
    """The bootloader that is configured, or found; the others' code is not loaded.

    Args:
        offsets: where the layout has U-Boot's environment [B]; () if it does not say.

    Raises:
        AgentError: there is none, or none is configured.
    """
    named = Path(options.environment) if options.environment else None
    kind = options.bootloader
    if kind == "auto":
        kind = "grub" if not U_BOOT.exists() and GRUB.exists() else "u-boot"
    match kind:
        case "u-boot":
            from ota_agent.bootloader.u_boot import UBoot

            return UBoot(named or U_BOOT, offsets)
        case "grub":
            from ota_agent.bootloader.grub import find_grub

            return find_grub(named or GRUB)
        case _ if named:
            from ota_agent.bootloader.file import File

            return File(named)
    raise AgentError('the bootloader "file" needs the path of its file: set environment, too')
