# SPDX-License-Identifier: Apache-2.0
"""Hazards of the filesystems: damaged, of the wrong size, or not readable by the bootloader."""

import re
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.finding import Finding
from ota_artifact.image.sparse import copy_range
from ota_artifact.image.superblock import read_superblock
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_artifact.size import format_size
from ota_image.disk.image import Part
from ota_image.doctor.case import Case

_TIMEOUT = 600.0  # [s]
_USUAL = re.compile(r"fsck\.fat |: \d+ files, |Leaving filesystem unchanged|$")
_DIRTY = re.compile(r"Dirty bit is set.*\n? ?Automatically removing dirty bit\.")
_FEATURES = 1024 + 92  # [B] compatible, incompatible, read-only compatible. Source: ext4 docs


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature of ext4 that a bootloader may not read.

    Attributes:
        word: which of the three words of features has it.
        since: the first U-Boot that reads it; None: no version reads it reliably.
    """

    name: str
    word: int
    bit: int
    since: tuple[int, int] | None


FEATURES = (
    # Source: U-Boot, fs/ext4/ext4_common.c; before, group descriptors were taken to have 32 bytes.
    Feature(name="64bit", word=1, bit=0x80, since=(2016, 11)),
    # Not read, and not refused either: files look empty or are garbage.
    Feature(name="inline_data", word=1, bit=0x8000, since=None),
    Feature(name="encrypt", word=1, bit=0x10000, since=None),
    Feature(name="casefold", word=1, bit=0x20000, since=None),
    # GRUB before 2.12, and e2fsck before 1.47 or 1.43, refuse the filesystem as a whole.
    Feature(name="metadata_csum_seed", word=1, bit=0x2000, since=None),
    Feature(name="orphan_file", word=0, bit=0x1000, since=None),
    Feature(name="bigalloc", word=2, bit=0x200, since=None),
)
"""Source: kernel.org, ext4 "Super Block"; the bootloaders' sources."""


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with each filesystem."""
    slots = {slot.part.name for slot in case.slots}
    for part in case.disk.parts:
        if part.kind == "ext4":
            yield from _ext4(case, part, is_slot=part.name in slots)
        elif part.kind == "vfat":
            yield from _vfat(case, part)
        elif case.layout and part.name in ("A", "boot", "data"):
            yield Finding(
                hazard="filesystem-damaged",
                place=_place(part),
                cause=f"it holds {part.kind or 'no filesystem that we know'}",
                remedy="compose the image again",
            )


def _ext4(case: Case, part: Part, *, is_slot: bool) -> Iterator[Finding]:
    place = _place(part)
    try:
        size = read_superblock(part.image, part.offset).size
        if size > part.size:
            yield Finding(
                hazard="payload-larger-than-slot",
                place=place,
                cause=f"its filesystem has {format_size(size)}, the partition"
                f" {format_size(part.size)}: the end was cut off",
                remedy="make root filesystems of the slot's size",
            )
            return
        part.open().check()
    except ArtifactError as error:
        yield Finding(
            hazard="filesystem-damaged",
            place=place,
            cause=str(error),
            remedy="make it again, or run e2fsck -f",
        )
        return
    if (is_slot or case.layout) and size < part.size and part.name != "data":
        yield Finding(
            hazard="filesystem-smaller-than-partition",
            place=place,
            cause=f"it has {format_size(size)}, the partition {format_size(part.size)}: the system"
            " cannot use the rest, since an update is copied as it is",
            remedy="make root filesystems of the slot's size (mke2fs, resize2fs)",
        )
    if is_slot:
        yield from _features(case, part)


def _features(case: Case, part: Part) -> Iterator[Finding]:
    with part.image.open("rb") as file:
        file.seek(part.offset + _FEATURES)
        words = struct.unpack("<3I", file.read(12))
    oldest = min((each.number for each in case.firmware if not each.is_spl), default=None)
    for feature in FEATURES:
        if not words[feature.word] & feature.bit:
            continue
        if feature.since and (oldest is None or oldest >= feature.since):
            continue
        since = (
            "with any"
            if feature.since is None
            else f"before v{feature.since[0]}.{feature.since[1]:02} of"
        )
        bootloader = "GRUB" if case.disk.is_grub else "U-Boot"
        yield Finding(
            hazard="bootloader-cannot-read",
            place=_place(part),
            cause=f"ext4 has the feature {feature.name}, which cannot be relied on {since}"
            f" {bootloader}",
            remedy=f"make it with mke2fs -O ^{feature.name}",
        )


def _vfat(case: Case, part: Part) -> Iterator[Finding]:
    try:
        part.open().check()
        said = _fsck_vfat(part)
    except (ArtifactError, ProgramError) as error:
        said = str(error)
    if case.is_booted and _DIRTY.search(said):
        said = _DIRTY.sub("", said)  # the power was cut, which alone is not damage
    if said.strip():
        yield Finding(
            hazard="filesystem-damaged",
            place=_place(part),
            cause=said.strip(),
            remedy="make it again, or repair it with fsck.vfat",
        )


def _fsck_vfat(part: Part) -> str:
    """What fsck.vfat finds in a copy, since it cannot look into a disk.

    Raises:
        ProgramError: it is missing, or cannot read it.
    """
    program = find_program("fsck.vfat", package="dosfstools")
    with tempfile.NamedTemporaryFile(prefix="ota-vfat-") as copy, part.image.open("rb") as file:
        end = part.offset + part.size
        copy_range(file.fileno(), copy.fileno(), part.offset, end, shift=-part.offset)
        argv = (program, "-n", copy.name)
        said = run(argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"}, success=(0, 1))
        lines = said.decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not _USUAL.match(line.replace(copy.name, "")))


def _place(part: Part) -> str:
    slot = "slot" if part.name in ("A", "B") else "partition"
    return f"{slot} {part.name}"
