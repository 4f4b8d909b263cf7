# SPDX-License-Identifier: Apache-2.0
"""Hazards of what starts a slot: kernel, initrd, device tree, arguments."""

from collections.abc import Iterator

from ota_artifact.finding import Finding
from ota_board import grub
from ota_board.entry import EXTLINUX
from ota_image.disk.slot import Extlinux, Slot
from ota_image.doctor.case import Case
from ota_image.doctor.initrd import module_names

_ROOT = "${mender_kernel_root}"


def probe(case: Case) -> Iterator[Finding]:
    """What each slot lacks; slot B is empty in a factory image."""
    for slot in case.slots:
        name = slot.part.name
        if slot.is_empty:
            if name == "A":
                yield Finding(
                    hazard="slot-without-kernel",
                    place="slot A",
                    cause="it is empty",
                    remedy="compose with a root filesystem",
                )
            continue
        if slot.extlinux is not None:
            yield from _entry(case, slot, slot.extlinux)
        elif file := _needed_entry(case):
            yield Finding(
                hazard="slot-without-grub-entry" if file == grub.ENTRY else "slot-without-extlinux",
                place=f"slot {name}: {file}",
                cause="the bootloader reads kernel and arguments there; without it the slot does"
                " not boot",
                remedy="put it into the root filesystem; `ota-image build` does",
            )
        if not slot.kernels and slot.extlinux is None:
            yield Finding(
                hazard="slot-without-kernel",
                place=f"slot {name}: /boot",
                cause="it has no kernel: after an update the old kernel would boot, or none",
                remedy="install the kernel into the root filesystem's /boot",
            )


def _needed_entry(case: Case) -> str:
    """The file that the bootloader reads of a slot; empty if that is not known."""
    if case.board:
        return grub.ENTRY if case.board.bootloader.kind == "grub" else EXTLINUX
    if case.layout is None:
        return ""
    return grub.ENTRY if case.disk.is_grub else EXTLINUX


def _entry(case: Case, slot: Slot, entry: Extlinux) -> Iterator[Finding]:
    place = f"slot {slot.part.name}"
    for what, path in (("kernel", entry.kernel), ("initrd", entry.initrd)):
        if what == "kernel" and not path:
            yield Finding(
                hazard="kernel-missing",
                place=f"{place}: {entry.file}",
                cause="it names no kernel",
                remedy="add a line with kernel",
            )
        elif path and not slot.part.exists(path):
            yield Finding(
                hazard=f"{what}-missing",
                place=f"{place}: {path}",
                cause=f"{entry.file} names it, and it is missing; the slot does not boot",
                remedy="install it, or correct the name",
            )
        elif path and not slot.part.file_size(path):
            yield Finding(
                hazard=f"{what}-missing",
                place=f"{place}: {path}",
                cause=f"{entry.file} names it, and it is empty or not a file; the slot does not"
                " boot",
                remedy="install it again; the disk may have been full",
            )
    yield from _trees(case, slot, entry)
    roots = [word for word in entry.append.split() if word.startswith("root=")]
    if roots[-1:] != [f"root={_ROOT}"]:
        yield Finding(
            hazard="root-not-from-slot",
            place=f"{place}: {entry.file}",
            cause=f"{roots[-1] if roots else 'no root='} among the kernel's arguments: the kernel"
            " of one slot would mount the other slot",
            remedy=f"write root={_ROOT}, which U-Boot sets for the slot that it boots",
        )
    yield from _drivers(case, slot, entry)


def _trees(case: Case, slot: Slot, entry: Extlinux) -> Iterator[Finding]:
    part = slot.part
    if entry.fdt and not part.exists(entry.fdt):
        yield Finding(
            hazard="device-tree-missing",
            place=f"slot {part.name}: {entry.fdt}",
            cause=f"{entry.file} names it, and it is missing",
            remedy="install it, or correct the name",
        )
    folders = [folder for folder in (entry.fdtdir, "/boot/dtbs", "/boot") if folder]
    below = [f"{folder}/{name}" for folder in folders[:2] for name in part.names(folder)]
    for name in case.board.device_trees if case.board else ():
        places = [f"{folder}/{name}" for folder in (*folders, *below)]
        if entry.fdt.endswith(f"/{name}") or any(part.exists(each) for each in places):
            continue
        yield Finding(
            hazard="device-tree-missing",
            place=f"slot {part.name}: {name}",
            cause=f"{case.board.name if case.board else 'the board'} needs it, and it is in none"
            f" of {', '.join(folders)} and their folders",
            remedy="install it with the kernel",
        )


def _drivers(case: Case, slot: Slot, entry: Extlinux) -> Iterator[Finding]:
    if case.board is None:
        return
    builtin = _builtin(slot)
    data = slot.part.read(entry.initrd) if entry.initrd else None
    there = module_names(data) if data else set[str]()
    if there is None or not (there or builtin):
        return  # packed in a way that we do not read, or a kernel that says nothing of itself
    if (entry.initrd and data is None) or (not entry.initrd and not builtin):
        return  # another probe reports it, or nothing is known
    for driver in case.board.kernel.drivers:
        name = driver.replace("-", "_")
        if name not in there and name not in builtin:
            yield Finding(
                hazard="initrd-without-driver",
                place=f"slot {slot.part.name}: {entry.initrd or 'no initrd'}",
                cause=f"{driver} is neither in it nor built into the kernel: the kernel waits for"
                " its root device forever",
                remedy="make the initrd with kernel.drivers of the board",
            )


def _builtin(slot: Slot) -> set[str]:
    names = set()
    for version in slot.modules:
        text = slot.part.text(f"/lib/modules/{version}/modules.builtin") or ""
        names |= {
            line.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
            for line in text.splitlines()
        }
    return names
