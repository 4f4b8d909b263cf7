# SPDX-License-Identifier: Apache-2.0
"""A trial whose agent cannot start: nobody would ever decide on it, so it rolls back."""

import logging
from collections.abc import Callable
from pathlib import Path

from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.contract import is_lost, is_trial
from ota_agent.bootloader.find import find_bootloader
from ota_agent.device.options import DeviceOptions
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

logger = logging.getLogger(__name__)

PATIENCE = 600.0
"""How long after the boot an agent may fail to start, before the trial is given up [s]."""

_UPTIME = Path("/proc/uptime")
_TIMEOUT = 60.0  # [s]


def give_up_trial(
    why: str,
    *,
    find: Callable[[], Bootloader] = lambda: find_bootloader(DeviceOptions(), ()),
    uptime: Path = _UPTIME,
    reboot: tuple[str, ...] = DeviceOptions().reboot,
) -> None:
    """Reboot the device if it runs a trial, and has for long enough: the bootloader rolls back.

    The same if the bootloader had lost its state: then it starts the other slot.

    Call it each time the agent ends with an error, and so again after each new start.
    The settings may be what is wrong, so that none are asked for.

    Args:
        why: the agent ended.
    """
    try:
        seconds = float(uptime.read_text("ascii").split()[0])
        environment = find().read()
    except Exception as error:  # whatever is broken here, the agent's own error is what is told
        logger.warning("whether this is a trial is not known: %s", error)
        return
    if seconds < PATIENCE or not (is_trial(environment) or is_lost(environment)):
        return
    logger.error("trial: the agent does not start (%s): rebooting, to roll back", why)
    try:
        run(reboot, timeout=_TIMEOUT)
    except ProgramError as error:
        logger.error("%s", error)
