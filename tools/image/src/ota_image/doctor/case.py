# SPDX-License-Identifier: Apache-2.0
"""What is examined, read once for all probes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ota_artifact.finding import Finding, fault, warning
from ota_artifact.layout import Layout
from ota_board.board import Board
from ota_board.grow import with_slots
from ota_image.disk.boot_state import Found, State, find_state, scan
from ota_image.disk.firmware_found import Firmware, find_u_boot
from ota_image.disk.foreign import Foreign, look_closer, require_known
from ota_image.disk.image import Disk, Part, open_disk
from ota_image.disk.slot import Slot, read_slot
from ota_image.doctor.contents import Contents, read_small
from ota_image.doctor.slot_hardware import judge_slot
from ota_image.errors import ImageError, UnknownTable
from ota_image.hardware.drivers import module_name
from ota_image.hardware.slot_drivers import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image, and what it is compared with.

    Attributes:
        layout: the board's, else what the image says of itself; None: neither is known.
        is_booted: whether it has run on a device already; else it is as from the factory.
        state: the environment where it must be; None: there is none.
        found: every valid copy, wherever it is.
        drivers: of each slot, by its name, those that it has as modules or built in; None: that
            is unknown.
        hardware: of each slot, what it lacks for the hardware in its device trees.
        foreign: what libparted knows of a disk that is not ours; None: not asked, or nothing.
        note: what could not be looked at, and why; empty if there is nothing to say.
        artifact: an update that is to go with it.
        contents: the small files, by partition.
    """

    disk: Disk
    layout: Layout | None
    board: Board | None
    is_booted: bool
    state: State | None
    found: tuple[Found, ...]
    slots: tuple[Slot, ...]
    firmware: tuple[Firmware, ...]
    drivers: Mapping[str, frozenset[str] | None]
    hardware: tuple[Judged, ...] = ()
    foreign: Foreign | None = None
    note: str = ""
    artifact: Path | None = None
    contents: Mapping[Part, Contents] = field(default_factory=dict)

    @property
    def is_toy(self) -> bool:
        """Whether the board exists only in QEMU."""
        return self.board is not None and self.board.storage.grows

    def choice(self, hazard: str, place: str, cause: str, remedy: str) -> Finding:
        """A finding that only the owner of a board in QEMU may pass over."""
        return (warning if self.is_toy else fault)(hazard, place, cause, remedy)


def open_case(
    path: Path, board: Board | None, *, is_booted: bool, artifact: Path | None = None
) -> Case:
    """Read what the probes examine.

    Raises:
        ImageError: it is not a disk image.
        OSError: it cannot be read.
    """
    try:
        disk = open_disk(path)
    except UnknownTable as error:
        label = require_known(path, str(error)).label
        raise ImageError(
            f"{path}: has a {label} label; only an MBR or a GPT is supported"
        ) from error
    if disk.table is None:
        raise ImageError(f"{path}: is one filesystem; give the disk image that it is part of")
    foreign, note = (None, "") if board else look_closer(disk)
    if foreign and foreign.is_other:
        raise ImageError(f"{path}: has a {foreign.label} label; only an MBR or a GPT is supported")
    if board:
        disk = disk.seen_as(_as_grown(board, disk).layout)
    is_grub = disk.is_grub
    slots = tuple(read_slot(part, is_grub=is_grub) for part in disk.slots)
    storage = board.storage.device if board else disk.layout.device if disk.layout else ""
    return Case(
        disk=disk,
        layout=disk.layout,
        board=board,
        is_booted=is_booted,
        state=find_state(disk),
        found=tuple(scan(path)),
        slots=slots,
        firmware=tuple(find_u_boot(disk)),
        drivers={slot.part.name: _drivers(slot) for slot in slots},
        hardware=tuple(judge_slot(slot, board, storage) for slot in slots),
        foreign=foreign,
        note=note,
        artifact=artifact,
        contents={part: read_small(part) for part in disk.parts},
    )


def _as_grown(board: Board, disk: Disk) -> Board:
    """The board with the slots of an image that was made with larger ones, if it may have them."""
    number = board.layout.partition("A").number
    found = max((part.size for part in disk.parts if part.number == number), default=0)
    return with_slots(board, found) if board.storage.grows else board


def _drivers(slot: Slot) -> frozenset[str] | None:
    names, is_known = set[str](), False
    for version in slot.modules:
        for file in ("modules.dep", "modules.builtin"):
            text = slot.part.text(f"/lib/modules/{version}/{file}")
            is_known = is_known or (text is not None and file == "modules.dep")
            paths = (line.partition(":")[0] for line in (text or "").splitlines())
            names |= {module_name(path) for path in paths}
    return frozenset(names) if is_known else None
