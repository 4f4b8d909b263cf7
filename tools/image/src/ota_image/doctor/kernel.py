# SPDX-License-Identifier: Apache-2.0
"""Hazards of a slot's kernel: modules of another kernel, or a panic that does not reboot."""

import re
from collections.abc import Iterator

from ota_artifact.finding import Finding
from ota_board.entry import EXTLINUX
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case
from ota_image.hardware.kernel_image import kernel_version

_PANIC = re.compile(r"^CONFIG_PANIC_TIMEOUT=(-?[0-9]{1,10})$", re.MULTILINE)


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the kernel of each slot."""
    for slot in case.slots:
        if slot.is_empty or slot.extlinux is None:
            continue
        yield from _version(slot)
        yield from _panic(case, slot)


def _version(slot: Slot) -> Iterator[Finding]:
    path = slot.extlinux.kernel if slot.extlinux else ""
    data = slot.part.read(path) if path and slot.modules else None
    version = kernel_version(data) if data else ""
    if version and version not in slot.modules:
        yield Finding(
            hazard="kernel-without-modules",
            place=f"slot {slot.part.name}: {path}",
            cause=f"it is {version}, the modules are for {', '.join(slot.modules)}: no driver"
            " loads",
            remedy="install kernel and modules of one package, and let /boot be part of the slot",
        )


def _panic(case: Case, slot: Slot) -> Iterator[Finding]:
    if case.board and case.board.watchdog.armed_by == "u-boot":
        return  # which ends a panic as well
    words = slot.extlinux.append.split() if slot.extlinux else []
    last = next((word for word in reversed(words) if word.startswith("panic=")), "")
    if last not in ("", "panic=0") or any(_resets(slot, version) for version in slot.modules):
        return
    yield Finding(
        hazard="panic-without-reset",
        place=f"slot {slot.part.name}: {slot.extlinux.file if slot.extlinux else EXTLINUX}",
        cause=f"{last or 'no panic='} among the kernel's arguments: a kernel that panics, such as"
        " one that finds no root, stays there until the power is cut, and nothing rolls back",
        remedy="add panic=10",
    )


def _resets(slot: Slot, version: str) -> bool:
    found = _PANIC.search(slot.part.text(f"/boot/config-{version}") or "")
    return bool(found and int(found[1]))
