# SPDX-License-Identifier: Apache-2.0
"""The command that reboots the device."""

from pathlib import Path

from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError
from ota_agent.owners import require_trusted
from ota_artifact.run import run
from ota_artifact.which import which


def reboot(options: DeviceOptions, *, timeout: float) -> None:
    """Run it.

    Args:
        timeout: [s].

    Raises:
        AgentError: others than root could have changed it.
        ProgramError: it is missing, or fails.
    """
    require_reboot(options)
    run(options.reboot, timeout=timeout)


def require_reboot(options: DeviceOptions) -> None:
    """Raise if others than root could have changed the command that reboots.

    Raises:
        AgentError: they could.
    """
    if options.reboot and (found := which(options.reboot[0])):
        try:
            require_trusted(Path(found))
        except AgentError as error:
            raise AgentError(f"device.reboot: {error}") from error
