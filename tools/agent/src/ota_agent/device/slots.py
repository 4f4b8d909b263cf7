# SPDX-License-Identifier: Apache-2.0
"""The two slots: where they are, and which one runs."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ota_agent.device.block import SYS, below, node_of, root_of
from ota_agent.errors import AgentError
from ota_artifact.errors import LayoutError
from ota_artifact.layout import read_layout

CMDLINE = Path("/proc/cmdline")


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

    def running(self, root: Path = Path("/"), *, cmdline: Path = CMDLINE, sys: Path = SYS) -> Slot:
        """The slot that is mounted as root, or below what is.

        Under an overlay it is the one that the kernel was told to mount; under dm-verity and the
        like, the one that the device is made of.

        Raises:
            AgentError: neither is, as on another disk.
        """
        device = root.stat().st_dev
        devices = {f"{os.major(device)}:{os.minor(device)}", *below(device, sys=sys)}
        if not os.major(device) and (name := root_of(cmdline)):  # an overlay has no device
            devices.add(name)  # it may be told as major:minor
            with suppress(AgentError, OSError):
                real = node_of(name, sys=sys).stat().st_rdev
                devices.add(f"{os.major(real)}:{os.minor(real)}")
        for slot in (self.a, self.b):
            try:
                status = slot.node.stat()
            except OSError as error:
                raise AgentError(
                    f"{slot.node}: {error.strerror}; is it slot {slot.name}?"
                ) from error
            mine = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
            if stat.S_ISBLK(status.st_mode) and mine in devices:
                return slot
        where = f"{os.major(device)}:{os.minor(device)}"
        raise AgentError(
            f"{root}: is on device {where}, which is neither slot A ({self.a.node}) nor slot B"
            f" ({self.b.node}); correct the layout, or boot from a slot"
        )


def read_slots(path: Path) -> Slots:
    """The slots of this device, by its layout.json.

    Raises:
        AgentError: there is no such file, or it is not a layout with two slots.
    """
    try:
        layout = read_layout(path)
        a, b = (
            Slot(name, Path(layout.node(name)), layout.partition(name).number)
            for name in ("A", "B")
        )
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}; which partitions are the slots?") from error
    except LayoutError as error:
        raise AgentError(str(error)) from error
    except KeyError as error:
        raise AgentError(
            f"{path}: has no partition {error.args[0]}; take the layout of the board"
        ) from error
    return Slots(a, b, tuple(area.offset for area in layout.environment))
