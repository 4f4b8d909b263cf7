# SPDX-License-Identifier: Apache-2.0
"""How /data was mounted, and the second home of what must outlive it: both are the image's work.

The image's own scripts mount /data before the agent starts, and keep the device's identity a second
time, outside of its filesystem, by the rules of docs/design/data.md. An image may be without them.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run

logger = logging.getLogger(__name__)

PROGRAM = Path("/usr/lib/ota/second-home")
_PATIENCE = 60.0  # [s] on a slow card


@dataclass(frozen=True, slots=True)
class DataState:
    """How /data was mounted.

    Attributes:
        state: whole, unchecked, repaired, damaged, new, read-only or memory; empty: unknown.
        reason: how a sentence continues that begins with ``/data``; empty if nothing is worth it.
    """

    state: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The whole sentence; empty without a reason."""
        return f"/data {self.reason}" if self.reason else ""


def data_state(folder: Path) -> DataState:
    """What the image's script has left in the agent's run folder."""
    try:
        text = (folder / "data").read_text("utf-8", "replace")
    except OSError:
        return DataState()
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    return DataState(found.get("state", ""), found.get("reason", ""))


def keep(program: Path = PROGRAM) -> None:
    """Have the device's key and its settings kept as they are now; never fails."""
    if not program.exists():
        return
    try:
        run((program, "save"), timeout=_PATIENCE)
    except ProgramError as error:
        logger.warning("the device's key and settings are not kept a second time: %s", error)
