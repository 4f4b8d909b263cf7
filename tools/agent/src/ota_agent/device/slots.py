# SPDX-License-Identifier: Apache-2.0
"""The two slots: where they are, and which one runs."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError

LAYOUT = Path("/usr/share/ota/layout.json")
"""What `ota-image` writes into each slot."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the two.

    Attributes:
        name: A or B.
        node: its block device, or a file that stands for it.
        number: of its partition.
    """

    name: str
    node: Path
    number: int


@dataclass(frozen=True, slots=True)
class Slots:
    """Both.

    Attributes:
        environment: where the copies of U-Boot's environment are [B]; () if not known.
    """

    a: Slot
    b: Slot
    environment: tuple[int, ...] = ()

    def of(self, name: str) -> Slot:
        """The slot of that name."""
        return {"A": self.a, "B": self.b}[name]

    def other(self, slot: Slot) -> Slot:
        """The one that it is not."""
        return self.b if slot == self.a else self.a

    def running(self, root: Path = Path("/")) -> Slot:
        """The slot that is mounted as root.

        Raises:
            AgentError: neither is, as on an overlay or another disk.
        """
        device = root.stat().st_dev
        for slot in (self.a, self.b):
            try:
                status = slot.node.stat()
            except OSError as error:
                raise AgentError(
                    f"{slot.node}: {error.strerror}; is it slot {slot.name}?"
                ) from error
            if stat.S_ISBLK(status.st_mode) and status.st_rdev == device:
                return slot
        where = f"{os.major(device)}:{os.minor(device)}"
        raise AgentError(
            f"{root}: is on device {where}, which is neither slot A ({self.a.node}) nor slot B"
            f" ({self.b.node}); correct the layout, or boot from a slot"
        )


def read_layout(path: Path = LAYOUT) -> Slots:
    """The slots of this device.

    Raises:
        AgentError: there is no layout, or it has no two slots.
    """
    try:
        layout = json.loads(path.read_text("utf-8"))
        areas = {each["name"]: each for each in layout["areas"]}
        device = layout["device"]
        a, b = (
            Slot(name, Path(_node(device, areas[name]["number"])), areas[name]["number"])
            for name in ("A", "B")
        )
        environment = [each["offset"] for each in areas.values() if each["kind"] == "environment"]
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}; which partitions are the slots?") from error
    except (ValueError, KeyError, TypeError) as error:
        raise AgentError(
            f"{path}: is not a layout file ({error!r}); see ota-board layout --json"
        ) from error
    return Slots(a, b, tuple(environment))


def _node(device: str, number: int) -> str:
    """A partition's device node. Source: Linux, block/genhd.c (p after a digit)."""
    return f"{device}{'p' if device[-1].isdigit() else ''}{number}"
