# SPDX-License-Identifier: Apache-2.0
"""Hazards of the partition table and of what lies outside the partitions."""

from collections.abc import Iterator

from ota_artifact.errors import LayoutError, MatchError, RolesError
from ota_artifact.finding import Finding
from ota_artifact.layout import SECTOR
from ota_artifact.size import format_size
from ota_image.doctor.case import Case


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the table."""
    disk, layout = case.disk, case.layout
    if disk.fault:
        yield Finding(
            hazard="table-damaged",
            place="partition table",
            cause=disk.fault,
            remedy="compose the image again",
        )
    yield from _copies(case)
    yield from _roles(case)
    yield from _overlaps(case)
    yield from _alignment(case)
    if layout:
        yield from _differences(case)
    sd = case.board and case.board.qemu and case.board.qemu.disk in ("sd", "sdhci")
    if sd and disk.path.is_file() and disk.size & (disk.size - 1):
        yield Finding(
            hazard="size-no-power-of-two",
            place=format_size(disk.size),
            cause="QEMU does not accept an SD card of this size",
            remedy="set storage.size to a power of two, or enlarge a copy with `truncate -s`",
        )


def _copies(case: Case) -> Iterator[Finding]:
    table = case.disk.table
    if table and table.first_fault:
        yield Finding(
            hazard="first-table-damaged",
            place="GPT, at the beginning",
            cause=f"the first copy of the table {table.first_fault}: a bootloader that reads no"
            " backup finds no partitions",
            remedy="compose the image again; or `fdisk FILE` and its command w, which writes both",
        )
    if table and table.backup_fault:
        yield Finding(
            hazard="backup-table-not-at-end",
            place=f"GPT, {format_size(table.size)}",
            cause=f"the backup of the table {table.backup_fault}; the system warns at each boot,"
            " and growing /data fails",
            remedy="sgdisk -e on the image, or flash it with a tool that moves the backup",
        )
    if table and table.conflict:
        cause, _, remedy = table.conflict.rpartition("; ")
        yield Finding(
            hazard="two-tables", place=f"{table.kind.upper()}", cause=cause, remedy=remedy
        )
    if table and table.sector != SECTOR:
        yield Finding(
            hazard="table-of-other-sectors",
            place="GPT",
            cause=f"it counts in sectors of {table.sector} B: a disk whose sectors have {SECTOR} B,"
            " such as a card, shows no partitions",
            remedy=f"make the table for sectors of {SECTOR} B, unless the disk has others",
        )


def _roles(case: Case) -> Iterator[Finding]:
    """Where our tools refuse to say which partition is which."""
    refusal = case.disk.refusal
    if isinstance(refusal, LayoutError):
        hazard = "layout-damaged"
    elif refusal is None or case.disk.fault or case.board:
        return  # nothing, or other findings tell it
    else:
        hazard = "table-not-layout" if isinstance(refusal, MatchError) else "partitions-not-known"
    yield Finding(
        hazard=hazard,
        place="partition table",
        cause=refusal.finding if isinstance(refusal, RolesError) else str(refusal),
        remedy="compose the image with the board that it is for, or give the board with --board",
    )


def _alignment(case: Case) -> Iterator[Finding]:
    """Source: libparted, ped_device_get_optimum_alignment; 1 MiB for an image file."""
    for each in case.foreign.parts if case.foreign else ():
        if not each.is_aligned and each.offset in {part.offset for part in case.disk.parts}:
            yield Finding(
                hazard="partition-not-aligned",
                place=f"partition {each.number} at {each.offset:#x}",
                cause="it does not begin at a multiple of 1 MiB: a card writes two of its blocks"
                " where the filesystem writes one, which is slow and wears it out",
                remedy="make the partitions with a tool that aligns them, as `ota-image compose`",
            )


def _overlaps(case: Case) -> Iterator[Finding]:
    fixed = [
        (f"{area.kind} {area.name}", area.offset, area.end)
        for area in (case.layout.areas if case.layout else ())
        if area.kind in ("environment", "reserved", "table")
    ]
    known = {offset for _, offset, _ in fixed}
    fixed += [
        (f"the environment at {each.offset:#x}", each.offset, each.offset + each.size)
        for each in case.found
        if each.offset not in known
    ]
    for part in case.disk.parts:
        for name, start, end in fixed:
            if start < part.offset + part.size and part.offset < end:
                yield Finding(
                    hazard="partition-overlaps",
                    place=f"partition {part.number} at {part.offset:#x}",
                    cause=f"it overlaps {name} ({start:#x} to {end:#x}): writing one destroys"
                    " the other",
                    remedy="move partitions.start after it, or move it before partitions.start",
                )


def _differences(case: Case) -> Iterator[Finding]:
    disk, layout = case.disk, case.layout
    if layout is None:
        return
    if disk.size < layout.size:
        yield Finding(
            hazard="size-not-layout",
            place=format_size(disk.size),
            cause=f"the layout has {format_size(layout.size)}: the end of the disk is missing",
            remedy="compose or copy the image again",
        )
    wanted = [(area.number, area.offset, area.size) for area in layout.partitions]
    there = [(part.number, part.offset, part.size) for part in disk.parts]
    last = wanted[-1][0]
    grown = [
        (number, offset, size if number != last else min(size, wanted[-1][2]))
        for number, offset, size in there
    ]
    if not disk.fault and wanted != grown:
        number, offset, size = next(
            (each for each in wanted if each not in grown), (wanted + grown)[-1]
        )
        yield Finding(
            hazard="table-not-layout",
            place=f"partition {number}",
            cause=f"the layout has it at {offset:#x} with {format_size(size)}, the table does not,"
            " or has others: updates go to the wrong place",
            remedy="compose the image again with the board that it is for",
        )
    if there and disk.parts and max(disk.parts, key=lambda part: part.offset).name != "data":
        yield Finding(
            hazard="data-not-last",
            place=f"partition {max(disk.parts, key=lambda part: part.offset).name}",
            cause="a partition follows data, and data cannot grow with the card",
            remedy="move the partition before data",
        )
