# SPDX-License-Identifier: Apache-2.0
"""Composes a disk image from a layout and its content, without root or loop devices."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.filesystem import recognise
from ota_artifact.image.sparse import copy_range, extents
from ota_artifact.image.superblock import read_superblock
from ota_artifact.image.workplace import build_time
from ota_artifact.layout import LAYOUT_JSON, Area, Layout, to_json
from ota_artifact.size import format_size
from ota_board import grub
from ota_board.board import SLOTS
from ota_board.environment import encode
from ota_board.layout import SECOND_HOME, second_home
from ota_image.disk import bmap
from ota_image.disk.boot import Content, make_boot
from ota_image.disk.identity import Identity, identity_of, time_of
from ota_image.disk.mkfs import Archive, Folder, Tree, make_ext4, tree_of
from ota_image.disk.table import write_table
from ota_image.disk.whole_file import whole_disk
from ota_image.errors import ImageError
from ota_image.progress import Say


@dataclass(frozen=True, slots=True)
class Raw:
    """A file outside the partitions.

    Attributes:
        offset: where it begins [B].
        path: on the host.
    """

    offset: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What goes onto a disk.

    Attributes:
        rootfs: of slot A: an ext4, which is taken as it is, or a tar or a folder, from which one of
            the slot's size is made.
        variables: of the bootloader's environment, all of them; for a layout that has copies of it.
        boot: the files of the boot partition, by path there; `layout.json` is added.
        raw: bootloaders that are written raw.
        data: a folder with the content of /data, all owned by root; None: nothing.
    """

    rootfs: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    boot: Mapping[str, Content] = field(default_factory=dict)
    raw: tuple[Raw, ...] = ()
    data: Path | None = None


def compose(layout: Layout, parts: Parts, output: Path, *, progress: Say) -> bmap.BlockMap:
    """Make the image, and next to it its block map, ``<output>.bmap``; gives the map.

    Both copies of the environment are valid and differ only in their counter. What is not written
    is a hole. An existing output is replaced when all went well.

    Raises:
        ImageError: a part is missing, does not fit into its place, or is of the wrong kind.
        BoardError: a variable that cannot be stored.
        ProgramError: another program is missing, or fails, as for lack of space.
        OSError: no space, or a file cannot be read or written.
    """
    slot = layout.partition("A")
    tree = _rootfs(parts.rootfs, slot, progress)
    raw = [(each, _checked(each, layout)) for each in parts.raw]
    sources = [parts.rootfs, *([parts.data] if parts.data else ())]
    sources += [each for each in parts.boot.values() if isinstance(each, Path)]
    for path in sources:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    identity = identity_of(to_json(layout).encode(), *sources)
    epoch = build_time()
    time = time_of(parts.rootfs) if epoch is None else epoch
    map_path = Path(f"{output}.bmap")
    with whole_disk(output, layout.size) as disk, ThreadPoolExecutor(1) as helper:
        write_table(disk, layout, identity)
        copying = None
        if tree is None:
            progress(f"slot A: {parts.rootfs.name}")
            copying = helper.submit(_copy_slot, parts.rootfs, disk, slot)
        with disk.open("r+b", buffering=0) as file:
            for copy, flag in zip(layout.environment, (1, 0), strict=False):
                flagged = flag if len(layout.environment) > 1 else None
                os.pwrite(
                    file.fileno(), encode(parts.variables, copy.size, flag=flagged), copy.offset
                )
            for each, size in raw:
                progress(f"{each.path.name} at {each.offset:#x}")
                _copy(each.path, file.fileno(), each.offset, size)
        boot = {**parts.boot, LAYOUT_JSON: to_json(layout).encode()}
        progress(f"boot partition: {len(boot)} files")
        number = identity.number("boot")
        with _copying_first(copying):
            make_boot(
                disk,
                layout.partition("boot"),
                boot,
                number=number,
                time=time,
                apart=grub.APART if any(_is_state(each) for each in boot) else (),
            )
            _fill_slots(disk, layout, parts, tree, identity, time, progress)
        known = copying.result() if copying else None
        progress("block map")
        written = [(each.offset, each.offset + size) for each, size in raw]
        block_map = bmap.make_map(disk, bmap.mapped(disk, layout, written), known)
        map_path.unlink(missing_ok=True)  # that of an older image does not fit this one
    _write_text(map_path, bmap.to_xml(block_map))
    return block_map


@contextmanager
def _copying_first(copying: "Future[dict[tuple[int, int], str]] | None") -> Iterator[None]:
    """Report that slot A could not be copied, not what that did to a program next to it."""
    try:
        yield
    except ProgramError as error:
        late = copying.exception() if copying else None
        if isinstance(late, OSError):
            raise late from error
        raise


def _fill_slots(
    disk: Path,
    layout: Layout,
    parts: Parts,
    tree: Archive | Folder | None,
    identity: Identity,
    time: int,
    progress: Say,
) -> None:
    """Slot A unless it is copied, an empty B, data and the extra partitions."""
    for area in layout.partitions:
        if area.name == "boot" or (area.name == "A" and tree is None):
            continue
        content: Tree = None
        if area.name == "A":
            content = tree
        elif area.name == "data" and parts.data:
            content = Folder(parts.data, is_roots=True)
        kind = "slot" if area.name in SLOTS else "partition"
        progress(f"{kind} {area.name}: {'files' if content else 'empty'}")
        label = "" if area.name in SLOTS else area.name
        make_ext4(disk, area, content, label=label, identity=identity, time=time)


def _rootfs(path: Path, slot: Area, progress: Say) -> Archive | Folder | None:
    """What slot A is made from; None: the file is an ext4 that fits."""
    if not path.is_file() or recognise(path) != "ext4":
        return tree_of(path)
    try:
        ExtFilesystem(path)
    except ArtifactError as error:
        raise ImageError(str(error)) from error
    own, length = read_superblock(path).size, path.stat().st_size
    if max(own, length) > slot.size:
        raise ImageError(
            f"{path}: {format_size(max(own, length))} do not fit into a slot of"
            f" {format_size(slot.size)}; make the filesystem smaller, or partitions.slots larger"
        )
    if own < slot.size:
        progress(
            f"slot A: the filesystem has {format_size(own)} of {format_size(slot.size)}; it cannot"
            " use the rest; resize2fs gives it the slot's size"
        )
    return None


def _checked(raw: Raw, layout: Layout) -> int:
    """The size of a raw file [B] that covers nothing else.

    Raises:
        ImageError: it is missing, empty, or overlaps something.
    """
    if not raw.path.is_file():
        raise ImageError(f"{raw.path}: no such file; the board needs it at {raw.offset:#x}")
    size = raw.path.stat().st_size
    if not size:
        raise ImageError(f"{raw.path}: is empty; build it again")
    end = raw.offset + size
    for area in layout.areas:
        if area.end <= raw.offset or area.offset >= end or area.kind == "extended":
            continue
        if area.kind == "reserved" and area.offset <= raw.offset and end <= area.end:
            continue
        where = f"{area.kind} {area.name} ({area.offset:#x} to {area.end:#x})"
        if area.kind == "reserved" and area.offset <= raw.offset:
            raise ImageError(
                f"{raw.path}: {size} B at {raw.offset:#x} do not fit into {where}; make the area"
                " larger"
            )
        raise ImageError(
            f"{raw.path}: {size} B at {raw.offset:#x} overlap {where}; move one of them"
        )
    for at in second_home(layout):
        if raw.offset < at + SECOND_HOME and at < end:
            raise ImageError(
                f"{raw.path}: {size} B at {raw.offset:#x} overlap the second home of the device's"
                f" identity ({at:#x} to {at + SECOND_HOME:#x}); move it"
            )
    if end > layout.size:
        raise ImageError(
            f"{raw.path}: {size} B at {raw.offset:#x} do not fit onto the disk; move it"
        )
    return size


def _copy_slot(rootfs: Path, disk: Path, slot: Area) -> dict[tuple[int, int], str]:
    """Copy slot A, which takes longest, while other programs make the rest; gives its checksums."""
    with disk.open("r+b", buffering=0) as file:
        _copy(rootfs, file.fileno(), slot.offset, rootfs.stat().st_size)
    return bmap.digests(disk, slot.offset, slot.end)


def _copy(source: Path, disk: int, offset: int, size: int) -> None:
    """Copy the data of a file, without its holes."""
    with source.open("rb") as file:
        for start, end in extents(file.fileno()):
            copy_range(file.fileno(), disk, start, min(end, size), shift=offset)


def _is_state(name: str) -> bool:
    return f"/{name.lstrip('/')}".startswith(f"{grub.FOLDER}/")


def _write_text(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
