# SPDX-License-Identifier: Apache-2.0
"""A disk image, made by us or not: its table, its filesystems, and files in them."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.filesystem import Filesystem, open_filesystem, read_bytes, recognise
from ota_artifact.image.mbr import is_protective
from ota_artifact.image.partitions import Partition, Table, read_table
from ota_artifact.image.roles import Source, find_roles, is_one_filesystem
from ota_artifact.layout import SECTOR, Layout, TableKind
from ota_artifact.tar import is_tar
from ota_board import grub
from ota_image.errors import ImageError, UnknownTable

_LARGEST = 256 << 20  # [B] of a file that is read as a whole: a kernel or an initrd, no more
_LARGEST_TEXT = 64 << 20  # [B]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One filesystem of a disk, and the partition that it is in.

    Attributes:
        name: its role or the layout's name; else what a GPT calls it; else its number.
        number: of the partition; 0: the image is one filesystem without a table.
        label: what a GPT calls it; empty in an MBR.
        kind: such as ``ext4``; empty if nothing known is there.
    """

    image: Path
    name: str
    number: int
    offset: int
    size: int
    type: str
    label: str = ""
    kind: str

    def open(self) -> Filesystem:
        """The files in it.

        Raises:
            ArtifactError: another filesystem than ext4 or vfat, or a damaged one.
        """
        return open_filesystem(self.image, self.offset, self.size)

    def read(self, path: str, limit: int = _LARGEST) -> bytes | None:
        """What a file holds; None if it is missing, too large, or cannot be read."""
        with suppress(ArtifactError, ProgramError):
            return read_bytes(self.open(), path, limit)
        return None

    def file_size(self, path: str) -> int:
        """How much a file holds [B]; 0 if it is not a file, or cannot be read."""
        with suppress(ArtifactError, ProgramError):
            return self.open().file_size(path)
        return 0

    def text(self, path: str) -> str | None:
        """What a text file holds; None if there is none."""
        data = self.read(path, _LARGEST_TEXT)
        return None if data is None else data.decode("utf-8", "replace")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder, links followed; False if it cannot be read."""
        with suppress(ArtifactError, ProgramError):
            return self.open().exists(path)
        return False

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, in order; none if there is no such folder."""
        with suppress(ArtifactError, ProgramError):
            return self.open().names(path)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk image.

    Attributes:
        size: [B].
        table: its partition table; None: one filesystem, without a table. A damaged table has no
            partitions.
        parts: what is in the partitions.
        numbers: the number of the partition of each role, and of each extra one of the layout.
        source: what told which partition is which; None: that is not known.
        layout: what the image says of itself, on its boot partition; None: nothing.
        fault: what is wrong with the table, if anything.
        refusal: why it is not known which partition is which; None if it is.
    """

    path: Path
    size: int
    table: Table | None
    parts: tuple[Part, ...]
    numbers: Mapping[str, int] = field(default_factory=dict)
    source: Source | None = None
    layout: Layout | None = None
    fault: str = ""
    refusal: ArtifactError | None = None

    def part(self, name: str) -> Part | None:
        """The partition of a role or of the layout's name; None if that is not known."""
        number = self.numbers.get(name)
        return next((part for part in self.parts if part.number == number), None)

    def seen_as(self, layout: Layout) -> "Disk":
        """The same disk, its partitions named by another layout."""
        names = {area.number: area.name for area in layout.partitions}
        numbers = {area.name: area.number for area in layout.partitions}
        parts = tuple(replace(each, name=names.get(each.number, each.name)) for each in self.parts)
        return replace(self, parts=parts, numbers=numbers, layout=layout)

    @property
    def boot(self) -> Part | None:
        """The partition that a ROM or a bootloader looks into."""
        return self.part("boot")

    @property
    def is_grub(self) -> bool:
        """Whether GRUB is its bootloader, or was meant to be."""
        boot = self.boot
        return boot is not None and any(map(boot.exists, (grub.FOLDER, grub.PROGRAM)))

    @property
    def slots(self) -> tuple[Part, ...]:
        """A and B; if they are not known, whatever has a root filesystem."""
        if self.numbers:
            return tuple(part for part in map(self.part, ("A", "B")) if part)
        return tuple(part for part in self.parts if "etc" in part.names("/"))


def slot_file(path: Path) -> Part:
    """A slot that is in a file of its own.

    Raises:
        ImageError: the file is missing, or is not a filesystem that we read.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ImageError(f"{path}: no such file")
    kind = recognise(path)
    if kind not in ("ext4", "vfat"):
        raise ImageError(f"{path}: is not an ext4; give the image of a root filesystem")
    return Part(
        image=path, name="A", number=0, offset=0, size=path.stat().st_size, type="", kind=kind
    )


def open_disk(path: Path) -> Disk:
    """Look at an image.

    Raises:
        UnknownTable: it has another kind of table, or none.
        ImageError: it is not a disk image.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise ImageError(f"{path}: is a folder; name a disk image")
    if not path.exists():
        raise ImageError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(512)
        size = file.seek(0, os.SEEK_END)
    if is_tar(path):
        raise ImageError(
            f"{path}: is a tar; `ota-artifact read` shows what is in an artifact, `ota-image"
            " compose` makes a disk image of a root filesystem"
        )
    try:
        table, fault = read_table(path), ""
    except ArtifactError as error:
        table, fault = None, str(error)
    if is_one_filesystem(path, table):
        return _single(path, size)
    if table is None:
        if head[510:] != b"\x55\xaa":
            raise UnknownTable(fault)
        kind: TableKind = "gpt" if is_protective(head) else "mbr"
        table = Table(kind=kind, size=size, sector=SECTOR, partitions=())
    elif table.fault:
        fault = f"{path}: {table.fault}"
    return _partitioned(path, table, fault)


def _single(path: Path, size: int) -> Disk:
    kind = recognise(path) or ""
    if kind not in ("ext4", "vfat"):
        raise ImageError(f"{path}: is {kind}, not a disk image")
    part = Part(image=path, name="filesystem", number=0, offset=0, size=size, type="", kind=kind)
    return Disk(path=path, size=size, table=None, parts=(part,))


def _partitioned(path: Path, table: Table, fault: str) -> Disk:
    roles, refusal = None, ArtifactError(fault) if fault else None
    try:
        roles = None if fault else find_roles(path, table)
    except ArtifactError as error:
        refusal = error
    except ProgramError as error:
        refusal = ArtifactError(str(error))
    names = roles.names if roles else {}
    return Disk(
        path=path,
        size=table.size,
        table=table,
        parts=tuple(_part(path, each, names) for each in table.partitions),
        numbers={name: number for number, name in names.items()},
        source=roles.source if roles else None,
        layout=roles.layout if roles else None,
        fault=fault,
        refusal=refusal,
    )


def _part(path: Path, partition: Partition, names: Mapping[int, str]) -> Part:
    return Part(
        image=path,
        name=names.get(partition.number) or partition.label or str(partition.number),
        number=partition.number,
        offset=partition.offset,
        size=partition.size,
        type=partition.type,
        label=partition.label,
        kind=recognise(path, partition.offset, partition.size) or "",
    )
