# SPDX-License-Identifier: Apache-2.0
"""What is on a disk image, ours or not, as a value that can be printed."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.errors import RolesError
from ota_artifact.image.filesystem import recognise
from ota_artifact.layout import LAYOUT_JSON, SECTOR
from ota_artifact.names import shown
from ota_artifact.size import KIB, format_size
from ota_board.entry import EXTLINUX
from ota_image.disk.boot_state import State, find_state
from ota_image.disk.firmware_found import find_u_boot
from ota_image.disk.foreign import Foreign, look_closer, require_known
from ota_image.disk.image import Disk, Part, open_disk
from ota_image.disk.slot import Slot, read_slot
from ota_image.errors import UnknownTable

_LEAST_FREE = 1 << 20  # [B] of free space that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found.

    Attributes:
        firmware: (place, version) of each U-Boot.
        state: None: no environment was found.
        foreign: what libparted knows of a disk that is not ours.
        remark: why libparted was not asked; empty if there is no reason to name.
    """

    disk: Disk
    slots: tuple[Slot, ...]
    firmware: tuple[tuple[str, str], ...]
    state: State | None
    foreign: Foreign | None
    remark: str = ""

    @property
    def label(self) -> str | None:
        """The kind of partition table; None: one filesystem without a table."""
        if self.foreign and self.foreign.is_other:
            return self.foreign.label
        return self.disk.table.kind if self.disk.table else None


def inspect(path: Path) -> Report:
    """Look at all of it.

    Raises:
        ImageError: it is not a disk image, or only libparted knows its table, and is missing.
        ProgramError: libparted fails.
        OSError: it cannot be read.
    """
    try:
        disk = open_disk(path)
        foreign, remark = look_closer(disk)
    except UnknownTable as error:
        foreign, remark = require_known(path, str(error)), ""
        disk = Disk(path=path, size=path.stat().st_size, table=None, parts=())
    disk = _with_libparted(disk, foreign)
    is_grub = disk.is_grub
    return Report(
        disk=disk,
        slots=tuple(read_slot(part, is_grub=is_grub) for part in disk.slots),
        firmware=tuple(
            (each.place, f"U-Boot {'SPL ' if each.is_spl else ''}{each.version}")
            for each in find_u_boot(disk)
        ),
        state=find_state(disk) if disk.table or foreign else None,
        foreign=foreign,
        remark=remark,
    )


def _with_libparted(disk: Disk, foreign: Foreign | None) -> Disk:
    """The disk with what libparted adds: partitions of other tables, filesystems we do not know."""
    if foreign is None:
        return disk
    if foreign.is_other:
        parts = tuple(
            Part(
                image=disk.path,
                name=each.name or str(each.number),
                number=each.number,
                offset=each.offset,
                size=each.size,
                type=each.flags,
                label=each.name,
                kind=recognise(disk.path, each.offset, each.size) or each.filesystem,
            )
            for each in foreign.parts
        )
        return replace(disk, parts=parts, fault="", refusal=None)
    known = {each.offset: each.filesystem for each in foreign.parts}
    parts = tuple(
        replace(each, kind=each.kind or known.get(each.offset, "")) for each in disk.parts
    )
    return replace(disk, parts=parts)


def as_json(report: Report) -> dict[str, object]:
    """The report as JSON; sizes and offsets in bytes."""
    disk, state = report.disk, report.state
    return {
        "image": str(disk.path),
        "size": disk.size,
        "table": report.label,
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
        "free": [list(each) for each in report.foreign.free] if report.foreign else None,
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
    """The report as text."""
    disk = report.disk
    lines = [f"{disk.path}: {format_size(disk.size)}, {_table(report)}", *_remarks(report)]
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
    lines += _free(report.foreign)
    what = "slot " if disk.numbers else "partition " if report.label else ""
    lines += [_slot(slot, f"{what}{slot.part.name}") for slot in report.slots]
    lines += _state(report.state) if report.label else []
    return "\n".join(lines)


def _table(report: Report) -> str:
    disk = report.disk
    if report.foreign and report.foreign.is_other:
        return f"{report.label} label: not supported, only MBR and GPT are"
    if disk.table is None:
        return "one filesystem, no table"
    sectors = "" if disk.table.sector == SECTOR else f" for sectors of {disk.table.sector} B"
    named = {
        LAYOUT_JSON: "",
        "GPT names": ", no layout.json: not ours; partitions named by the GPT",
        "order": ", no layout.json: not ours; four partitions, in Mender's order",
        None: ", not known which partition is which",
    }
    return f"{disk.table.kind.upper()}{sectors}{named[disk.source]}"


def _remarks(report: Report) -> Iterator[str]:
    """Remarks before the table of partitions."""
    disk = report.disk
    if disk.refusal:
        text = disk.refusal.finding if isinstance(disk.refusal, RolesError) else str(disk.refusal)
        yield f"  {text.removeprefix(f'{disk.path}: ')}"
    if disk.table and disk.table.first_fault:
        yield f"  the first GPT {disk.table.first_fault}; the backup was read"
    if disk.table and disk.table.backup_fault:
        yield f"  the backup of the GPT {disk.table.backup_fault}"
    if disk.table and disk.table.conflict:
        yield f"  {disk.table.conflict}"
    if report.remark:
        yield f"  not looked at: {report.remark}"


def _free(foreign: Foreign | None) -> Iterator[str]:
    found = [each for each in (foreign.free if foreign else ()) if each[1] >= _LEAST_FREE]
    if found:
        places = (f"{format_size(size // KIB * KIB)} at {offset:#x}" for offset, size in found)
        yield f"free: {', '.join(places)}"


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
