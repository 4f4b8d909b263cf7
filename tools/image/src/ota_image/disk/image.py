# SPDX-License-Identifier: Apache-2.0
"""A disk image that is there, ours or not: its table, its filesystems, and files in them."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ota_artifact.errors import ArtifactError, LayoutError, ProgramError
from ota_artifact.image import debugfs
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.filesystem import Filesystem, open_filesystem, recognise
from ota_artifact.image.inode import find
from ota_artifact.image.mbr import is_protective
from ota_artifact.image.partitions import Partition, read_partitions
from ota_artifact.image.vfat import FatFilesystem, checked_names, mtools
from ota_artifact.image.workplace import workplace
from ota_artifact.layout import Layout, from_json
from ota_board import grub
from ota_image.errors import ImageError

_LARGEST = 64 << 20  # [B] of a file that is read as a whole: a kernel or an initrd, no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One filesystem of a disk, and the partition that it is in.

    Attributes:
        name: by which people know it: the layout's or GPT's; else its number.
        number: of the partition; 0: the image is one filesystem without a table.
        kind: such as ``ext4``; empty if nothing known is there.
    """

    image: Path
    name: str
    number: int
    offset: int
    size: int
    type: str
    kind: str

    def open(self) -> Filesystem:
        """The files in it.

        Raises:
            ArtifactError: another filesystem than ext4 or vfat, or a damaged one.
        """
        return open_filesystem(self.image, self.offset, self.size)

    def read(self, path: str) -> bytes | None:
        """What a file holds; None if there is no such file, or it cannot be read."""
        with suppress(ArtifactError, ProgramError), tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "file"
            self.open().read_file(path, copy)
            if copy.stat().st_size <= _LARGEST:
                return copy.read_bytes()
        return None

    def text(self, path: str) -> str | None:
        """What a text file holds; None if there is none."""
        data = self.read(path)
        return None if data is None else data.decode("utf-8", "replace")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder, links on the way to it followed."""
        with suppress(ArtifactError, ProgramError, FileNotFoundError):
            filesystem = self.open()
            if not isinstance(filesystem, ExtFilesystem):
                return filesystem.exists(path)
            with workplace(self.image) as place:
                return find(place, self.offset, path).inode is not None
        return False

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, in order; none if there is no such folder."""
        with suppress(ArtifactError, ProgramError, FileNotFoundError):
            filesystem = self.open()
            with workplace(self.image) as place:
                if isinstance(filesystem, ExtFilesystem):
                    return tuple(sorted(_ext_names(place, self.offset, path)))
                if isinstance(filesystem, FatFilesystem):
                    return tuple(sorted(_fat_names(place, self.offset, path)))
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk image.

    Attributes:
        size: [B].
        table: of what kind; None: one filesystem, without a table.
        parts: what is in the partitions.
        layout: what the image says of itself, on its boot partition; None: nothing.
        fault: what is wrong with the table, if anything.
    """

    path: Path
    size: int
    table: Literal["mbr", "gpt"] | None
    parts: tuple[Part, ...]
    layout: Layout | None = None
    fault: str = ""

    def part(self, name: str) -> Part | None:
        """The partition of a name; None if there is none."""
        return next((part for part in self.parts if part.name == name), None)

    def seen_as(self, layout: Layout) -> "Disk":
        """The same disk, its partitions named by another layout."""
        names = {area.number: area.name for area in layout.partitions}
        parts = tuple(replace(each, name=names.get(each.number, each.name)) for each in self.parts)
        return replace(self, parts=parts, layout=layout)

    @property
    def boot(self) -> Part | None:
        """The partition that a ROM or a bootloader looks into: the first vfat."""
        return next((part for part in self.parts if part.kind == "vfat"), None)

    @property
    def is_grub(self) -> bool:
        """Whether GRUB is its bootloader, or was meant to be."""
        boot = self.boot
        return boot is not None and any(map(boot.exists, (grub.FOLDER, grub.PROGRAM)))

    @property
    def slots(self) -> tuple[Part, ...]:
        """A and B; on an image that is not ours, whatever has a root filesystem."""
        if self.layout:
            return tuple(part for part in self.parts if part.name in ("A", "B"))
        return tuple(part for part in self.parts if "etc" in part.names("/"))


def open_disk(path: Path) -> Disk:
    """Look at an image.

    Raises:
        ImageError: it is no disk image.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise ImageError(f"{path}: is a folder; name a disk image")
    if not path.exists():
        raise ImageError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(512)
        size = file.seek(0, 2)
    if head[257:262] == b"ustar":
        if head.startswith(b"version\0"):
            raise ImageError(f"{path}: is an artifact; `ota-artifact read` shows what is in it")
        raise ImageError(f"{path}: is a tar; `compose` makes a disk image of one")
    found, fault = list[Partition](), ""
    try:
        found = list(read_partitions(path))
    except ArtifactError as error:
        fault = str(error)
    kind = recognise(path)
    if not found and kind:
        part = Part(
            image=path, name="filesystem", number=0, offset=0, size=size, type="", kind=kind
        )
        if kind not in ("ext4", "vfat"):
            raise ImageError(f"{path}: is {kind}, no disk image")
        return Disk(path=path, size=size, table=None, parts=(part,))
    table: Literal["mbr", "gpt"] = "gpt" if is_protective(head.ljust(512, b"\0")) else "mbr"
    if not found and head[510:] != b"\x55\xaa":
        raise ImageError(fault or f"{path}: is no disk image")
    plain = tuple(_part(path, each, None) for each in found)
    layout = _own_layout(plain)
    parts = tuple(_part(path, each, layout) for each in found) if layout else plain
    return Disk(path=path, size=size, table=table, parts=parts, layout=layout, fault=fault)


def _part(path: Path, partition: Partition, layout: Layout | None) -> Part:
    names = {area.number: area.name for area in layout.partitions} if layout else {}
    return Part(
        image=path,
        name=names.get(partition.number) or partition.label or str(partition.number),
        number=partition.number,
        offset=partition.offset,
        size=partition.size,
        type=partition.type,
        kind=recognise(path, partition.offset, partition.size) or "",
    )


def _own_layout(parts: tuple[Part, ...]) -> Layout | None:
    for part in parts:
        if part.kind == "vfat" and (raw := part.read("/layout.json")):
            with suppress(LayoutError):
                return from_json(raw)
    return None


def _ext_names(place: Path, offset: int, path: str) -> Iterator[str]:
    entry = find(place, offset, path)
    if entry.inode is None or entry.inode.kind != "directory":
        return
    printed = debugfs.ask(place, offset, "ls", "-p", entry.inode.address)
    for line in printed.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.split("/")
        if len(fields) > 5 and fields[1] != "0" and fields[5] not in (".", ".."):
            yield fields[5]


def _fat_names(place: Path, offset: int, path: str) -> Iterator[str]:
    target = f"::/{'/'.join(checked_names(path))}"
    listed = mtools(place, offset, "mdir", "-b", "-a", target, environment={}, success=(0, 1))
    for line in listed.decode("utf-8", "surrogateescape").splitlines():
        yield line.rstrip("/").rpartition("/")[2]
