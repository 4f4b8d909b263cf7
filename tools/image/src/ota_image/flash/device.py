# SPDX-License-Identifier: Apache-2.0
"""A device that may be written: a whole disk, not in use, and large enough."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.size import format_size
from ota_image.errors import ImageError

_SECTOR = 512  # [B]: the unit of sysfs, whatever the device's. Source: Linux, block/genhd.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A whole disk.

    Attributes:
        path: of its node.
        size: [B].
        sector: that it is read and written by [B].
        model: its own name; empty if it has none.
        is_removable: whether the system treats it as a card or a stick.
        is_emmc: whether it is soldered to a board, in addition to a card or in place of one.
    """

    path: Path
    size: int
    sector: int
    model: str
    is_removable: bool
    is_emmc: bool


def find_device(path: Path, needed: int, *, root: Path = Path("/")) -> Device:
    """The device behind a node.

    Args:
        needed: how large it must be [B].
        root: where /proc and /sys are.

    Raises:
        ImageError: not a block device, a partition, in use, write-protected or too small.
        OSError: the system does not know it.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such device; `lsblk` lists them") from None
    if not stat.S_ISBLK(state.st_mode):
        raise ImageError(f"{path}: is not a block device; `lsblk` lists them")
    number = f"{os.major(state.st_rdev)}:{os.minor(state.st_rdev)}"
    return checked_device(path, root / "sys/dev/block" / number, needed, root=root)


def checked_device(path: Path, entry: Path, needed: int, *, root: Path) -> Device:
    """The same by its entry in sysfs."""
    folder = entry.resolve()
    if (folder / "partition").exists():
        raise ImageError(f"{path}: is a partition; name the whole disk, {folder.parent.name}")
    parts = [each for each in folder.iterdir() if (each / "partition").exists()]
    for each in (folder, *parts):
        for place in _mounted(each, root):
            raise ImageError(
                f"{path}: {each.name} is mounted at {place}; unmount it, if it is the right disk"
            )
        if f"/dev/{each.name}" in _first_words(root / "proc/swaps"):
            raise ImageError(f"{path}: {each.name} is swap space of this system; name another disk")
        holders = each / "holders"
        for holder in holders.iterdir() if holders.is_dir() else ():
            raise ImageError(
                f"{path}: {each.name} is part of {holder.name}; remove it from there first"
            )
    if _read(folder / "ro") == "1":
        raise ImageError(f"{path}: is write-protected; check the switch on the card")
    size = int(_read(folder / "size") or 0) * _SECTOR
    if size < needed:
        raise ImageError(
            f"{path}: has {format_size(size)}, the image {format_size(needed)}; take a larger card"
        )
    return Device(
        path=path,
        size=size,
        sector=int(_read(folder / "queue/logical_block_size") or _SECTOR),
        model=_read(folder / "device/model") or _read(folder / "device/name"),
        is_removable=_read(folder / "removable") == "1",
        is_emmc=_is_emmc(folder),
    )


def _is_emmc(folder: Path) -> bool:
    """By its kind, which is SD for a card, or by its boot areas, which only an eMMC has.

    Source: Linux, drivers/mmc/core/bus.c (type), Documentation/driver-api/mmc/mmc-dev-parts.rst
    """
    return _read(folder / "device/type") == "MMC" or (folder / f"{folder.name}boot0").is_dir()


def _mounted(entry: Path, root: Path) -> Iterator[str]:
    """Where it is mounted, by its number or by its name, under which btrfs has it."""
    number = _read(entry / "dev")
    for line in (root / "proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        words, _, after = (part.split() for part in line.partition(" - "))
        source = after[1]
        if words[2] == number or Path(os.path.realpath(source)).name == entry.name:
            yield words[4]


def _first_words(path: Path) -> set[str]:
    lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
    return {os.path.realpath(line.split()[0]) for line in lines if line.startswith("/")}


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace").strip() if path.is_file() else ""
