# SPDX-License-Identifier: Apache-2.0
"""Hazards of what a slot says about the disk: fstab and fw_env.config."""

import posixpath
from collections.abc import Iterator

from ota_artifact.device_files import FW_ENV_CONFIG
from ota_artifact.finding import Finding
from ota_artifact.layout import Area, Layout
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case

_FSTAB = "/etc/fstab"
_UNITS = ("/etc/systemd/system/data.mount", "/lib/systemd/system/data.mount")
_FAT = ("vfat", "nls_cp437")
"""What mounting a vfat takes. Source: Linux, FAT_DEFAULT_CODEPAGE, which is 437 everywhere."""
_ON_DATA = ("/u-boot/fw_env.config", FW_ENV_CONFIG)


def probe(case: Case) -> Iterator[Finding]:
    """Where a slot and the layout disagree."""
    if case.layout is None:
        return
    for slot in case.slots:
        if not slot.is_empty:
            yield from _fstab(case.layout, slot, case.drivers[slot.part.name])
            if case.layout.environment:
                yield from _config(case, case.layout, slot)


def _fstab(layout: Layout, slot: Slot, drivers: frozenset[str] | None) -> Iterator[Finding]:
    place = f"slot {slot.part.name}: {_FSTAB}"
    lines = (line.partition("#")[0].split() for line in (slot.part.text(_FSTAB) or "").splitlines())
    mounts = {words[1]: words for words in lines if len(words) >= 4}
    if "/data" not in mounts and not any(slot.part.exists(unit) for unit in _UNITS):
        yield Finding(
            hazard="fstab-without-data",
            place=place,
            cause="nothing mounts /data: what must outlive an update is written into the slot",
            remedy=f"add '{layout.node('data')} /data ext4 defaults 0 2'",
        )
    boot = layout.partition("boot")
    for point, words in mounts.items():
        area = layout.partition("data") if point == "/data" else None
        if words[2] in ("vfat", "msdos"):
            area = boot
            if "sync" not in words[3].split(","):
                yield Finding(
                    hazard="boot-not-synchronous",
                    place=f"{place}: {point}",
                    cause="vfat has no journal: a power cut during a write loses the boot files",
                    remedy="add the option sync",
                )
            lost = [name for name in _FAT if drivers is not None and name not in drivers]
            if lost:
                yield Finding(
                    hazard="vfat-without-driver",
                    place=f"{place}: {point}",
                    cause=f"{' and '.join(lost)} is neither among the modules nor built in: it"
                    " cannot be mounted",
                    remedy="install it with the kernel",
                )
        if area and words[0].startswith("/dev/") and not _names(words[0], area, layout):
            yield Finding(
                hazard="fstab-differs",
                place=f"{place}: {point}",
                cause=f"it mounts {words[0]}, the layout has {layout.node(area.name)}",
                remedy="take the fstab of the board: `ota-board render` writes it",
            )


def _names(node: str, area: Area, layout: Layout) -> bool:
    by_name = node.startswith("/dev/disk/by-") and posixpath.basename(node) in (
        area.name,
        "BOOT",
    )
    other = node.startswith(("/dev/disk/by-uuid", "/dev/disk/by-partuuid"))
    return node == layout.node(area.name) or by_name or other


def _config(case: Case, layout: Layout, slot: Slot) -> Iterator[Finding]:
    place = f"slot {slot.part.name}: {FW_ENV_CONFIG}"
    text = slot.part.text(FW_ENV_CONFIG)
    data = case.disk.part("data")
    for path in _ON_DATA if text is None and data else ():
        text = text or (data.text(path) if data else None)
    if text is None:
        yield Finding(
            hazard="fw-env-config-missing",
            place=place,
            cause="Linux does not know where the environment is: no update can be installed",
            remedy="take the board's file: `ota-board render` writes it",
        )
        return
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    try:
        there = [(words[0], int(words[1], 0), int(words[2], 0)) for words in lines if words]
    except (IndexError, ValueError):
        there = []
    wanted = [(layout.device, area.offset, area.size) for area in layout.environment]
    if sorted(there) != sorted(wanted):
        shown = "; ".join(f"{device} {at:#x} {size:#x}" for device, at, size in there) or "nothing"
        yield Finding(
            hazard="fw-env-config-differs",
            place=place,
            cause=f"it says {shown}; the layout has"
            f" {'; '.join(f'{device} {at:#x} {size:#x}' for device, at, size in wanted)}",
            remedy="take the board's file: `ota-board render` writes it",
        )
