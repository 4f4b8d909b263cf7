# SPDX-License-Identifier: Apache-2.0
"""The disk's layout and its two slots: where they are, and which one runs."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A range of the disk.

    Attributes:
        offset: its first byte [B].
        size: its length [B].
        number: of a partition; 0 for anything else.
    """

    kind: str
    name: str
    offset: int
    size: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The disk, as `ota-board layout --json` has it.

    Attributes:
        device: the disk's node.
        size: of the disk [B]; 0 if it is not known.
    """

    device: str
    size: int
    areas: tuple[Area, ...]
    slots: Slots


def read_layout(path: Path) -> Layout:
    """The layout of this device's disk.

    Raises:
        AgentError: there is no layout, or it has no two slots.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        device = str(found["device"])
        areas = tuple(
            Area(
                kind=str(each["kind"]),
                name=str(each["name"]),
                offset=int(each["offset"]),
                size=int(each["size"]),
                number=int(each.get("number", 0)),
            )
            for each in found["areas"]
        )
        numbers = {each.name: each.number for each in areas}
        a, b = (Slot(name, node_of(device, numbers[name]), numbers[name]) for name in ("A", "B"))
        environment = tuple(each.offset for each in areas if each.kind == "environment")
        size = int(found.get("size", 0))
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}; which partitions are the slots?") from error
    except (ValueError, KeyError, TypeError) as error:
        raise AgentError(
            f"{path}: is not a layout file ({error!r}); see ota-board layout --json"
        ) from error
    return Layout(device=device, size=size, areas=areas, slots=Slots(a, b, environment))


def node_of(device: str, number: int) -> Path:
    """A partition's device node. Source: Linux, block/genhd.c (p after a digit)."""
    return Path(f"{device}{'p' if device[-1].isdigit() else ''}{number}")
