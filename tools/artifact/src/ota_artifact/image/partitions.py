# SPDX-License-Identifier: Apache-2.0
"""The partition table of a disk image, MBR or GPT."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from ota_artifact.errors import ArtifactError
from ota_artifact.image.gpt import Gpt, Row, read_gpt
from ota_artifact.image.mbr import gpt_places, hybrid_rows, is_protective, read_mbr
from ota_artifact.layout import SECTOR, TableKind
from ota_artifact.names import shown
from ota_artifact.size import format_size

SWAP = ("82", "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")
"""Types of a partition with swap space, in an MBR and in a GPT."""

ESP = ("ef", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
"""Types of an EFI system partition."""

BIOS_BOOT = ("21686148-6449-6e6f-744e-656564454649",)
"""Type of the partition that holds GRUB's own code. Source: GRUB manual, "BIOS installation"."""

FAT: Mapping[str, str] = {
    "01": "FAT12",
    "04": "FAT16",
    "06": "FAT16",
    "0b": "FAT32",
    "0c": "FAT32",
    "0e": "FAT16",
}
"""Types of partitions with vfat, in an MBR."""

FILES: Mapping[str, str] = {
    **FAT,
    **dict.fromkeys(ESP, "ESP"),
    "83": "Linux",
    "ea": "boot",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "basic data",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "boot",
    "44479540-f297-41b2-9af7-d131d5f0458a": "root of x86",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "root of x86-64",
    "69dad710-2ce4-4e3c-b16c-21a1d49abed3": "root of arm",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "root of arm64",
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224": "root of riscv64",
    "3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "server data",
    "4d21b016-b534-45c2-a9fb-5c16e091fd2d": "variable data",
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "home",
}
"""Types of partitions with a filesystem. Source: UAPI Discoverable Partitions Specification."""

_KNOWN = {**FILES, **dict.fromkeys(SWAP, "swap"), **dict.fromkeys(BIOS_BOOT, "BIOS boot")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition, as the table has it.

    Attributes:
        number: as Linux numbers it; logical ones begin at 5.
        offset: where it begins [B].
        size: its length [B].
        type: MBR: two hexadecimal digits ("83"); GPT: the type's GUID in lower case.
        label: the name that GPT gives it; "" with MBR.
    """

    number: int
    offset: int
    size: int
    type: str
    label: str = ""

    @property
    def end(self) -> int:
        """The first byte after it [B]."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A partition table.

    Attributes:
        size: of the image that it is in [B].
        sector: of the disk that it is for [B]; an MBR does not say, and is taken to have 512.
        partitions: by number. Extended partitions are left out, the logical ones inside them not.
        links: where an MBR keeps the tables of logical partitions [B].
        first_fault: what is wrong with the copy of a GPT at the beginning of the image, as the
            end of a sentence; then the backup at its end was read.
        backup_fault: what is wrong with the backup.
        conflict: where another reader finds another table on the disk, as a sentence.
    """

    kind: TableKind
    size: int
    sector: int
    partitions: tuple[Partition, ...]
    links: tuple[int, ...] = ()
    first_fault: str = ""
    backup_fault: str = ""
    conflict: str = ""

    @property
    def fault(self) -> str:
        """Why no partition of it can be relied on, as a sentence's end; empty if nothing."""
        for each in self.partitions:
            if each.end > self.size:
                return (
                    f"partition {each.number} ends at {each.end} B, but the image has {self.size}"
                    " B; it is truncated"
                )
            if each.offset < self.sector:
                return f"partition {each.number} covers the partition table; it is damaged"
        ordered = sorted(self.partitions, key=lambda each: each.offset)
        for before, after in pairwise(ordered):
            if after.offset < before.end:
                return f"partitions {before.number} and {after.number} overlap; it is damaged"
        return ""


def read_table(image: Path) -> Table:
    """Read the partition table of a disk image.

    Raises:
        ArtifactError: there is no table, or it is empty, or too damaged to be read.
        OSError: the image cannot be read.
    """
    with image.open("rb") as file:
        table = _read(file, file.seek(0, os.SEEK_END), image)
    if not table.partitions:
        more = table.conflict or "there is nothing to open"
        raise ArtifactError(f"{image}: the partition table is empty; {more}")
    return table


def describe_table(table: Table) -> str:
    """What a table holds, for a message: a line for each partition."""
    rows = [("no", "offset", "size", "type", "label")]
    for each in table.partitions:
        place, size = f"{each.offset:#x}", format_size(each.size)
        label = each.label if each.label.isprintable() else shown(each.label)
        rows.append((str(each.number), place, size, _KNOWN.get(each.type, each.type), label))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(f"  {line}" for line in lines)


def described_type(partition: Partition) -> str:
    """The type of a partition, for a message: its number, and its name if we know one."""
    name = _KNOWN.get(partition.type)
    return f"{partition.type} ({name})" if name else partition.type


def _read(file: BinaryIO, size: int, image: Path) -> Table:
    file.seek(0)
    first = file.read(512)
    if len(first) < 512:
        raise ArtifactError(
            f"{image}: has {len(first)} B, too few for a disk image or a filesystem; it is"
            " truncated, or of another kind"
        )
    has_mbr = first[510:512] == b"\x55\xaa"
    if has_mbr and not is_protective(first):
        mbr = read_mbr(file, size, image)
        return Table(
            kind="mbr",
            size=size,
            sector=SECTOR,
            partitions=_partitions((*each, "") for each in mbr.rows),
            links=mbr.links,
            conflict=_unannounced(file, size, image),
        )
    gpt = read_gpt(file, size, image)
    if gpt is None:
        if has_mbr:
            raise ArtifactError(
                f"{image}: its MBR says that a GPT follows, and neither the first one nor the"
                " backup is there; copy or compose the image again"
            )
        raise ArtifactError(f"{image}: has neither a partition table nor a filesystem that we know")
    return Table(
        kind="gpt",
        size=size,
        sector=gpt.sector,
        partitions=_partitions(gpt.rows),
        first_fault=gpt.first_fault,
        backup_fault=gpt.backup_fault,
        conflict=_hybrid(first, gpt) if has_mbr else _UNSIGNED,
    )


_UNSIGNED = (
    "no MBR announces the GPT, since sector 0 does not end in 55 aa: Linux, U-Boot and sfdisk find"
    " no partitions; write the table again"
)


def _unannounced(file: BinaryIO, size: int, image: Path) -> str:
    """What to say of a GPT next to an MBR that does not announce it; empty if there is none.

    Source: Linux block/partitions/efi.c, U-Boot disk/part_efi.c and util-linux
    libfdisk/src/gpt.c, `is_pmbr_valid`; GRUB grub-core/partmap/gpt.c.
    """
    try:
        gpt = read_gpt(file, size, image)
    except ArtifactError:
        return ""  # damaged: no reader takes it for a table
    if gpt is None:
        return ""
    return (
        "there is a GPT too, and no entry of type ee in the MBR announces it: Linux, U-Boot, GRUB"
        " and sfdisk read the MBR, gdisk and parted ask; remove the one that is left over"
    )


def _hybrid(first: bytes, gpt: Gpt) -> str:
    """What to say of an MBR that announces a GPT, and does not agree with it; empty if it does."""
    if 1 not in (places := gpt_places(first)):
        return (
            f"the entry of type ee in the MBR begins at sector {places[0]}, not 1: Linux and U-Boot"
            " find no partitions, sfdisk does; write the table again"
        )
    known = {(offset, size) for _, offset, size, _, _ in gpt.rows}
    for number, start, length in hybrid_rows(first):
        if (start * gpt.sector, length * gpt.sector) not in known:
            return (
                f"partition {number} of the MBR is not in the GPT: Linux and U-Boot read the GPT, a"
                " boot ROM may read the MBR; give both tables the same partitions"
            )
    return ""


def _partitions(rows: Iterable[Row]) -> tuple[Partition, ...]:
    return tuple(
        Partition(number=number, offset=offset, size=size, type=kind, label=label)
        for number, offset, size, kind, label in rows
    )
