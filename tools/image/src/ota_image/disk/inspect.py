# SPDX-License-Identifier: Apache-2.0
"""What is on a disk image, ours or not, as a value that can be printed."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import RolesError
from ota_artifact.layout import SECTOR
from ota_artifact.names import shown
from ota_artifact.size import format_size
from ota_image.disk.boot_state import State, find_state
from ota_image.disk.firmware_found import find_u_boot
from ota_image.disk.image import Disk, open_disk
from ota_image.disk.slot import EXTLINUX, Slot, read_slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found.

    Attributes:
        firmware: (place, version) of each U-Boot.
        state: None: no environment was found.
    """

    disk: Disk
    slots: tuple[Slot, ...]
    firmware: tuple[tuple[str, str], ...]
    state: State | None


def inspect(path: Path) -> Report:
    """Look at all of it.

    Raises:
        ImageError: it is no disk image.
        OSError: it cannot be read.
    """
    disk = open_disk(path)
    is_grub = disk.is_grub
    return Report(
        disk=disk,
        slots=tuple(read_slot(part, is_grub=is_grub) for part in disk.slots),
        firmware=tuple(
            (each.place, f"U-Boot {'SPL ' if each.is_spl else ''}{each.version}")
            for each in find_u_boot(disk)
        ),
        state=find_state(disk) if disk.table else None,
    )


def as_json(report: Report) -> dict[str, object]:
    """The report as JSON has it; sizes and offsets in bytes."""
    disk, state = report.disk, report.state
    return {
        "image": str(disk.path),
        "size": disk.size,
        "table": disk.table.kind if disk.table else None,
        "sector": disk.table.sector if disk.table else None,
        "fault": disk.fault,
        "has_layout": disk.layout is not None,
        "named_by": disk.source,
        "partitions": [
            {
                "number": part.number,
                "name": part.name,
                "label": part.label,
                "offset": part.offset,
                "size": part.size,
                "type": part.type,
                "filesystem": part.kind,
            }
            for part in disk.parts
        ],
        "firmware": [{"place": place, "version": version} for place, version in report.firmware],
        "slots": [
            {
                "name": slot.part.name,
                "is_empty": slot.is_empty,
                "artifact": slot.artifact,
                "system": slot.system,
                "kernels": list(slot.kernels),
                "modules": list(slot.modules),
                "has_extlinux": slot.extlinux is not None and slot.extlinux.file == EXTLINUX,
                "entry": slot.extlinux.file if slot.extlinux else None,
                "append": slot.extlinux.append if slot.extlinux else "",
            }
            for slot in report.slots
        ],
        "environment": None
        if state is None
        else {
            "source": state.source,
            "offsets": list(state.offsets),
            "size": state.size,
            "valid": [copy is not None for copy in state.copies],
            "flags": [copy.flag if copy else None for copy in state.copies],
            "newest": state.newest,
            "variables": state.variables,
        },
    }


def as_text(report: Report) -> str:
    """The report for people."""
    disk = report.disk
    lines = [f"{disk.path}: {format_size(disk.size)}, {_table(disk)}", *_remarks(disk)]
    rows = [["no", "name", "offset", "size", "type", "filesystem", "label"]]
    for part in disk.parts:
        label = "" if part.label == part.name else part.label
        offset, size = f"{part.offset:#x}", format_size(part.size)
        row = [str(part.number), part.name, offset, size, part.type, part.kind or "-", label]
        rows.append([each if each.isprintable() else shown(each) for each in row])
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    lines += [f"bootloader: {version}, {place}" for place, version in report.firmware]
    what = "slot " if disk.numbers else "partition " if disk.table else ""
    lines += [_slot(slot, f"{what}{slot.part.name}") for slot in report.slots]
    lines += _state(report.state) if disk.table else []
    return "\n".join(lines)


def _table(disk: Disk) -> str:
    if disk.table is None:
        return "one filesystem, no table"
    sectors = "" if disk.table.sector == SECTOR else f" for sectors of {disk.table.sector} B"
    named = {
        "layout.json": "",
        "GPT names": ", no layout.json: not ours; partitions named by the GPT",
        "order": ", no layout.json: not ours; four partitions, in Mender's order",
        None: ", not known which partition is which",
    }
    return f"{disk.table.kind.upper()}{sectors}{named[disk.source]}"


def _remarks(disk: Disk) -> Iterator[str]:
    """What is to be said before the partitions."""
    if disk.refusal:
        text = disk.refusal.finding if isinstance(disk.refusal, RolesError) else str(disk.refusal)
        yield f"  {text.removeprefix(f'{disk.path}: ')}"
    if disk.table and disk.table.first_fault:
        yield f"  the first GPT {disk.table.first_fault}; the backup was read"
    if disk.table and disk.table.backup_fault:
        yield f"  the backup of the GPT {disk.table.backup_fault}"


def _slot(slot: Slot, name: str) -> str:
    if slot.is_empty:
        return f"{name}: empty"
    facts = [slot.artifact or "no artifact's name", slot.system or "no os-release"]
    facts.append(f"kernel {', '.join(slot.kernels)}" if slot.kernels else "no kernel in /boot")
    facts.append(posixpath.basename(slot.extlinux.file) if slot.extlinux else "no boot entry")
    return f"{name}: {'; '.join(facts)}"


def _state(state: State | None) -> list[str]:
    if state is None:
        return ["environment: none found"]
    places = ", ".join(f"{offset:#x}" for offset in state.offsets) or "GRUB's files"
    index = state.newest
    flags = "/".join("invalid" if copy is None else str(copy.flag) for copy in state.copies)
    taken = "none is valid" if index is None else f"copy {index + 1} is read"
    head = f"environment: {len(state.copies)} of {state.size:#x} B: {places}; {taken}"
    if any(copy is None or copy.flag is not None for copy in state.copies):
        head += f", counters {flags}"
    return [head, *(f"  {name}={value}" for name, value in sorted(state.variables.items()))]
