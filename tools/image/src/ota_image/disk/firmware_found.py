# SPDX-License-Identifier: Apache-2.0
"""Bootloaders on a disk, found by their banners."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ota_image.disk.image import Disk, Part

_BANNER = re.compile(rb"U-Boot (?:SPL )?((20\d\d)\.(\d\d)[\w.+~-]*)[^\0\n]{0,80}")
_SPL = b"U-Boot SPL"
_RAW = 32 << 20  # [B] of a disk, at most, are looked through
_FILES = re.compile(r"(?:u-?boot.*|mlo|kernel.*\.img|.*\.bin|.*\.img)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """U-Boot, or its SPL, as it was found.

    Attributes:
        place: a file on the boot partition, or an offset on the disk.
        version: such as ``2023.01+dfsg``.
        number: the same as two numbers, to compare by.
        is_spl: whether it is the part that loads U-Boot.
        data: its bytes; of one outside the partitions, the area reserved for it, else all up to
            the first partition.
    """

    place: str
    version: str
    number: tuple[int, int]
    is_spl: bool
    data: bytes


def find_u_boot(disk: Disk) -> Iterator[Firmware]:
    """Every U-Boot, uncompressed, before the first partition and on the boot partition.

    If it is not known which partition that is, every vfat is searched.

    Raises:
        OSError: the image cannot be read.
    """
    first = min((part.offset for part in disk.parts), default=0)
    with disk.path.open("rb") as file:
        raw = file.read(min(first, _RAW))
    seen = set()
    for match in _BANNER.finditer(raw):
        start, end = _reserved(disk, match.start())
        found = _firmware(match, f"at {match.start():#x}", raw[start:end])
        if (found.version, found.is_spl) not in seen:
            seen.add((found.version, found.is_spl))
            yield found
    for part in (disk.boot,) if disk.boot else disk.parts:
        if part.kind == "vfat":
            yield from _in_files(part, "boot partition" if disk.boot else f"partition {part.name}")


def _in_files(part: Part, where: str) -> Iterator[Firmware]:
    for name in part.names("/"):
        if _FILES.fullmatch(name):
            data = part.read(f"/{name}") or b""
            if banner := _BANNER.search(data):
                yield _firmware(banner, f"/{name} of the {where}", data)


def _reserved(disk: Disk, at: int) -> tuple[int, int | None]:
    """Where the area that is reserved for it begins and ends [B]."""
    for area in disk.layout.areas if disk.layout else ():
        if area.kind == "reserved" and area.offset <= at < area.end:
            return area.offset, area.end
    return 0, None


def _firmware(match: re.Match[bytes], place: str, data: bytes) -> Firmware:
    return Firmware(
        place=place,
        version=match[1].decode("ascii", "replace"),
        number=(int(match[2]), int(match[3])),
        is_spl=match[0].startswith(_SPL),
        data=data,
    )
