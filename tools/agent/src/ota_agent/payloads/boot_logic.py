# SPDX-License-Identifier: Apache-2.0
"""Refuses a slot that needs another bootloader, before a byte of it is written."""

from pathlib import Path

from ota_agent.errors import AgentError
from ota_artifact.boot_logic import logic_in, started_by
from ota_artifact.contract import ARGUMENT

_CMDLINE = Path("/proc/cmdline")


def require_boot_logic(meta_data: bytes, cmdline: Path = _CMDLINE) -> None:
    """Check that the bootloader which started this device has the boot logic that a payload needs.

    Args:
        meta_data: of the payload; one that does not say what it needs is taken.
        cmdline: what the kernel was started with.

    Raises:
        AgentError: it has an older one, or does not say which.
    """
    needed = logic_in(meta_data)
    if needed is None:
        return
    found = started_by(cmdline.read_text("utf-8", "replace") if cmdline.exists() else "")
    if (found or 0) < needed:
        has = f"has {found}" if found else f"does not say which it has ({ARGUMENT} in {cmdline})"
        raise AgentError(
            f"the artifact needs boot logic {needed}, and the bootloader that started this device"
            f" {has}; no update of the slot changes the bootloader: write a new image to the device"
        )
