# SPDX-License-Identifier: Apache-2.0
"""Compares a slot with the hardware in its own device trees."""

import shlex
from collections.abc import Iterable
from contextlib import suppress

from ota_artifact.finding import Finding, fault
from ota_board.board import Board
from ota_board.device import WATCHDOG
from ota_image.disk.slot import Extlinux, Slot
from ota_image.doctor.initrd import module_names
from ota_image.errors import ImageError
from ota_image.hardware.device_tree import DeviceTree, read_device_tree
from ota_image.hardware.drivers import Drivers, drivers_of, module_name
from ota_image.hardware.kernel_image import unpacked, version_of
from ota_image.hardware.slot_drivers import Judged, Machine, judge

SETTINGS = "/etc/ota/board"
"""What the scripts of our images know of the board."""


def judge_slot(slot: Slot, board: Board | None, storage: str) -> Judged:
    """What a slot lacks for its hardware, and what could not be judged.

    Args:
        board: which the slot is for, if that is known.
        storage: the disk, such as ``/dev/mmcblk0``; empty if that is unknown.
    """
    entry, place = slot.extlinux, f"slot {slot.part.name}"
    if slot.is_empty or entry is None:
        return Judged()
    found = [_tree(slot, path) for path in _trees(slot, entry, board)]
    trees = {path: tree for path, tree in found if isinstance(tree, DeviceTree)}
    findings = tuple(each for _, each in found if isinstance(each, Finding))
    if not trees:
        if findings or (board and board.bootloader.kind == "grub"):
            return Judged(findings)
        note = f"{place}: drivers, console and disk: it names no device tree"
        return Judged(notes=(note,))
    drivers = _drivers(slot, entry)
    if isinstance(drivers, str):
        return Judged(findings, (f"{place}: drivers, console and disk: {drivers}",))
    names = _in_initrd(slot, entry)
    left_out = (name for each in board.kernel.left_out.values() for name in each) if board else ()
    judged = judge(
        Machine(
            trees=trees,
            drivers=drivers,
            is_whole=False,
            modules=frozenset(drivers.paths),
            initrd=None if names is None else frozenset(names),
            left_out=frozenset(map(module_name, left_out)),
            storage=storage,
            consoles=tuple(_consoles(entry.append)),
            watchdog=_watchdog(slot, board),
        )
    )
    return Judged((*findings, *judged.findings), judged.notes)


def _trees(slot: Slot, entry: Extlinux, board: Board | None) -> list[str]:
    """The paths of the device trees that the bootloader may take, as far as they are there."""
    if entry.fdt:
        return [entry.fdt]
    if not entry.fdtdir:
        return []
    names = board.device_trees if board else slot.part.names(entry.fdtdir)
    return [f"{entry.fdtdir}/{name}" for name in names if name.endswith(".dtb")]


def _tree(slot: Slot, path: str) -> tuple[str, DeviceTree | Finding | None]:
    place = f"slot {slot.part.name}: {path}"
    data = slot.part.read(path)
    if data is None:
        return place, None  # another probe reports it
    try:
        return place, read_device_tree(data)
    except ImageError as error:
        cause = f"{error}: the kernel does not start with it"
        return place, fault("device-tree-damaged", place, cause, "install it again")


def _drivers(slot: Slot, entry: Extlinux) -> Drivers | str:
    """The drivers of the slot's kernel and modules, or why they are not known."""
    image = unpacked(slot.part.read(entry.kernel) or b"")
    version = version_of(image)
    versions = [each for each in slot.modules if each == version] or list(slot.modules)
    if not versions:
        return "it has no /lib/modules, so what the kernel itself drives is not known"
    if len(versions) > 1:
        return (
            f"it has modules of {len(versions)} kernels: {', '.join(versions)}, and it is not known"
            " which one starts"
        )
    folder = f"/lib/modules/{versions[0]}"
    lists = {
        name: slot.part.text(f"{folder}/modules.{name}") for name in ("alias", "dep", "builtin")
    }
    others = [each for each in slot.part.names(folder) if not each.startswith("modules.")]
    if not others and lists["alias"] is None and lists["dep"] is None:
        # A kernel with all of its drivers built in, for which nobody ran depmod.
        lists |= {"alias": "", "dep": ""}
    if absent := [f"modules.{name}" for name, text in lists.items() if text is None]:
        return f"{folder} has no {' and no '.join(absent)}"
    lines = {name: (text or "").splitlines() for name, text in lists.items()}
    return drivers_of(
        version or versions[0],
        aliases=lists["alias"] or "",
        modules=(line.partition(":")[0] for line in lines["dep"]),
        builtin=lines["builtin"],
        image=image,
    )


def _consoles(arguments: str) -> Iterable[str]:
    for word in arguments.split():
        name, equals, value = word.partition("=")
        if name == "console" and equals:
            yield value.partition(",")[0]


def _in_initrd(slot: Slot, entry: Extlinux) -> set[str] | None:
    """The modules in the initrd, none if there is none; None: it cannot be read."""
    if not entry.initrd:
        return set()
    data = slot.part.read(entry.initrd)
    return None if data is None else module_names(data)


def _watchdog(slot: Slot, board: Board | None) -> str:
    if board:
        return board.watchdog.driver
    return settings_in(slot.part.text(SETTINGS) or "").get(WATCHDOG, "")


def settings_in(text: str) -> dict[str, str]:
    """What a file of a shell's variables says; nothing if it is not one."""
    with suppress(ValueError):  # its quotes are not closed
        words = shlex.split(text, comments=True)
        return dict(word.partition("=")[::2] for word in words)
    return {}
