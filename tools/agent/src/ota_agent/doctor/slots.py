# SPDX-License-Identifier: Apache-2.0
"""Hazards of the two slots, and of the disk that they are on."""

from collections.abc import Iterator
from pathlib import Path

from ota_agent.device.slots import Slots
from ota_agent.doctor.case import Case
from ota_agent.doctor.system import SECTOR, device_number, size_of
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.layout import Layout

_WORTH_GROWING = 8 << 20
"""What may be left behind /data [B]; the images' own scripts leave as much."""


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the slots, and with the disk."""
    device = case.settings.device
    if case.slots is None:
        if not any(each.hazard.startswith(("layout", "environment")) for each in case.faults):
            yield warning(
                "no-slots",
                device.layout,
                "missing, so this device has no slots: it refuses root filesystem updates and"
                " accepts only update modules",
                "put the layout of the board there, which `ota-image build` does",
            )
    else:
        yield from _slots(case, case.slots)
    if device.running:
        yield warning(
            "running-slot-set",
            "[device] running",
            f"it says that slot {device.running} runs, whatever is mounted: after an update the"
            " agent takes the wrong slot for the passive one",
            "remove the line, except for trials on another disk",
        )
    if case.layout and not device.slot_a:
        yield from _table(case, case.layout)


def _slots(case: Case, slots: Slots) -> Iterator[Finding]:
    sizes = {}
    for slot in (slots.a, slots.b):
        try:
            sizes[slot.name] = size_of(slot.node, case.system)
            number = device_number(slot.node)
        except OSError as error:
            yield fault(
                "slot-missing",
                f"slot {slot.name}: {slot.node}",
                f"{error.strerror}: nothing can be written there",
                "correct the layout, or slot_a and slot_b in the section [device]",
            )
            continue
        points = [each.point for each in case.mounts if number and each.device == number]
        if points and case.running and slot != case.running:
            yield fault(
                "passive-slot-mounted",
                f"slot {slot.name}: {slot.node}",
                f"it is mounted on {', '.join(points)}: an update would be written under a"
                " filesystem in use, which may write over it",
                f"umount {points[0]}; remove it from fstab and from anything else that mounts it"
                " automatically",
            )
    if len(set(sizes.values())) == 2:
        yield fault(
            "slots-differ-in-size",
            f"{slots.a.node}, {slots.b.node}",
            f"slot A has {sizes['A']} B, slot B {sizes['B']} B: an update that fits one of them"
            " does not fit the other",
            "make both the same size, as `ota-board layout` shows",
        )


def _table(case: Case, layout: Layout) -> Iterator[Finding]:
    blocks = case.system.sys / "class" / "block"
    name = Path(layout.device).name
    if not (blocks / name).exists():
        yield fault(
            "disk-missing",
            layout.device,
            f"no disk has this name: {case.settings.device.layout} is for another board,"
            " or the kernel counts its disks in another order",
            "boot with the device tree of the board, whose aliases fix the order; or correct the"
            " layout",
        )
        return
    last = max(layout.partitions, key=lambda each: each.offset)
    end = 0
    for area in layout.partitions:
        folder = blocks / Path(layout.node(area.name)).name
        if not folder.exists():
            yield _other_table(f"{layout.device}, {area.name}", f"no partition {area.number}")
            continue
        begin = case.system.number(folder / "start") * SECTOR
        size = case.system.number(folder / "size") * SECTOR
        is_right = begin == area.offset and (
            size >= area.size if area == last else size == area.size
        )
        end = max(end, begin + size)
        if not is_right:
            yield _other_table(
                f"{layout.device}, {area.name}",
                f"partition {area.number} has {size} B at {begin:#x}, the layout {area.size} B at"
                f" {area.offset:#x}",
            )
    whole = case.system.number(blocks / name / "size") * SECTOR
    behind = layout.size - last.end  # a backup table, perhaps
    if last.name == "data" and whole - end > _WORTH_GROWING + behind:
        yield warning(
            "data-not-grown",
            f"{layout.device}, data",
            f"the last {whole - end} B of the disk are unused",
            "reboot the device: our images grow it unless the boot is a trial; otherwise use"
            " `python3 -m ota_artifact.image.grow DISK NUMBER` and resize2fs",
        )


def _other_table(place: str, cause: str) -> Finding:
    return fault(
        "table-not-layout",
        place,
        f"{cause}: a write to one lands in the other",
        "write the whole image of the board onto the disk, or the layout of this one into the slot",
    )
