# SPDX-License-Identifier: Apache-2.0
"""Says that an agent is at work on the trial: the script ``deadline`` then lets it be.

The file holds the agent's process and its start, so that it says nothing once the agent has ended,
whatever ended it. It also holds a time: an agent that hangs does not say it again.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

LASTS = 86400
"""How long it counts, unless the agent renews it [s]: longer than all that an agent waits for."""

_UPTIME = Path("/proc/uptime")


@dataclass(frozen=True, slots=True)
class Claim:
    """The file, in a folder that a reboot empties.

    Attributes:
        uptime: the time since the boot, as /proc has it.
    """

    path: Path
    uptime: Path = _UPTIME

    def hold(self) -> None:
        """Say that this process is at work on the trial."""
        new = self.path.with_name(f".{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(f"{os.getpid()} {_start()} {self._until()}\n", "ascii")
            new.replace(self.path)
        except (OSError, ValueError, IndexError) as error:
            logger.warning("%s: %s; the trial may be ended at its deadline", self.path, error)

    def _until(self) -> int:
        """The time since the boot at which it no longer counts [s]."""
        return int(float(self.uptime.read_text("ascii").split()[0])) + LASTS

    def drop(self) -> None:
        """Say it no longer: the trial is over, or nothing works on it."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s: %s", self.path, error.strerror)


def _start() -> str:
    """When this process was started. Source: proc(5), stat."""
    return Path("/proc/self/stat").read_text("ascii", "replace").rpartition(") ")[2].split()[19]
