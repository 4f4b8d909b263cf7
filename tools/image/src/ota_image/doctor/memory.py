# SPDX-License-Identifier: Apache-2.0
"""Hazards of where U-Boot loads a slot's files: no update can change that."""

from collections.abc import Iterator, Mapping

from ota_artifact.boot_logic import NEEDED, with_logic
from ota_artifact.contract import ARGUMENT
from ota_artifact.finding import Finding, fault
from ota_artifact.memory import Needs, meta_data_of, overlaps, regions, room
from ota_artifact.size import format_size
from ota_image.disk.slot import Slot
from ota_image.doctor.bootloader import default_environment, is_whole
from ota_image.doctor.case import Case
from ota_image.hardware.kernel_image import unpacked
from ota_image.hardware.memory import needs_of

_GROWTH = 1.25  # Debian's kernel for 64-bit ARM grew by 16 % from one release to the next


def probe(case: Case) -> Iterator[Finding]:
    """What does not fit where U-Boot loads it, of each slot."""
    variables = next(
        (default_environment(each.data) for each in case.firmware if is_whole(each)),
        dict(case.state.variables) if case.state else {},
    )
    for slot in case.slots:
        yield from judge_memory(slot, variables)


def judge_memory(slot: Slot, variables: Mapping[str, str]) -> Iterator[Finding]:
    """What of a slot does not fit where a U-Boot with these variables loads it."""
    needs = slot_needs(slot)
    if needs is None or slot.extlinux is None:
        return
    found = regions(variables, needs)
    place = f"slot {slot.part.name}: {slot.extlinux.kernel}"
    over = tuple(overlaps(found))
    for first, second in over:
        yield fault(
            "load-addresses-overlap",
            place,
            f"U-Boot loads the {first.name} to {first.start:#x}, up to {first.end:#x}, and the"
            f" {second.name} to {second.start:#x}: the slot does not boot",
            "move the addresses apart in bootloader.addresses; no update changes those of a device",
        )
    most = room(found)
    if not over and most is not None and needs.kernel * _GROWTH > most:
        yield fault(
            "kernel-without-room",
            place,
            f"it takes {format_size(needs.kernel)} of memory, and {format_size(most)} are free"
            " where U-Boot loads it: a later kernel will not fit, and no update changes the"
            " addresses",
            "move the other addresses up, in bootloader.addresses, before devices are in the field",
        )


def slot_meta_data(slot: Slot) -> bytes:
    """What a slot needs of a device's bootloader, as the meta-data of an artifact.

    One whose boot entry asks for the number of the boot logic needs a bootloader that has one.
    """
    needs, entry = slot_needs(slot), slot.extlinux
    found = meta_data_of(needs) if needs else b""
    asks = entry is not None and f"{ARGUMENT}=" in entry.append
    return with_logic(found, NEEDED) if asks else found


def slot_needs(slot: Slot) -> Needs | None:
    """The memory that a slot needs for its kernel and what goes with it; None if it has none."""
    entry = slot.extlinux
    kernel = slot.part.read(entry.kernel) if entry and entry.kernel else None
    if entry is None or kernel is None:
        return None
    names = [entry.fdt] if entry.fdt else []
    if entry.fdtdir and not names:
        names = [f"{entry.fdtdir}/{name}" for name in slot.part.names(entry.fdtdir)]
    return needs_of(
        kernel,
        unpacked(kernel),
        trees=[slot.part.file_size(name) for name in names if name.endswith(".dtb")],
        initrd=slot.part.file_size(entry.initrd) if entry.initrd else 0,
    )
