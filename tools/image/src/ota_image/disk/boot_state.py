# SPDX-License-Identifier: Apache-2.0
"""The bootloader's state on a disk image: found, read, and changed in both copies."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ota_artifact import grub_block
from ota_artifact.contract import GOOD, PART, PART_HEX
from ota_artifact.errors import LayoutError, MatchError
from ota_artifact.hold import hold
from ota_artifact.image.filesystem import Filesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_board import grub
from ota_board.environment import Copy, decode, encode, newest
from ota_image.disk.image import Disk
from ota_image.errors import ImageError

SCANNED = 32 << 20
"""How much of a disk is searched for an environment [B]."""

STEP = 64 << 10
"""At which multiples of this an environment is looked for [B]."""

SIZES = (0x2000, 0x4000, 0x8000, 0x10000, 0x20000, 0x40000)
"""Usual sizes of one copy [B]."""

_BEGINS = re.compile(rb"[A-Za-z0-9_.#-][A-Za-z0-9_.#/-]*=")
_SHUT = (grub_block.SUM, grub_block.LOCK)
"""What ends the writing of one of GRUB's copies, in this order."""


@dataclass(frozen=True, slots=True)
class Found:
    """One valid copy of an environment.

    Attributes:
        offset: its first byte [B].
        size: [B].
    """

    offset: int
    size: int
    copy: Copy

    @property
    def is_redundant(self) -> bool:
        """Whether it is one of a pair."""
        return self.copy.flag is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of a disk.

    Attributes:
        offsets: where the copies are [B]; none if they are files.
        size: of one copy [B].
        copies: each, or None if it is not valid.
        source: how it was found: ``layout``, ``scan``, or ``files``.
    """

    offsets: tuple[int, ...]
    size: int
    copies: tuple[Copy | None, ...]
    source: str

    @property
    def newest(self) -> int | None:
        """Which copy the bootloader takes; None if none is valid."""
        return newest(self.copies)

    @property
    def variables(self) -> dict[str, str]:
        """What the bootloader reads; nothing if no copy is valid."""
        index = self.newest
        copy = None if index is None else self.copies[index]
        return dict(copy.variables) if copy else {}


def find_state(disk: Disk) -> State | None:
    """The state of a disk: where its layout has it, else in GRUB's files, else found by a search.

    GRUB's files are looked for only where it is known which partition is boot.

    Raises:
        OSError: the image cannot be read.
    """
    if disk.layout and (areas := disk.layout.environment):
        size = areas[0].size
        copies = tuple(
            decode(_bytes(disk.path, area.offset, size), is_redundant=len(areas) > 1)
            for area in areas
        )
        return State(
            offsets=tuple(area.offset for area in areas), size=size, copies=copies, source="layout"
        )
    if (state := _grub_state(disk)) is not None:
        return state
    found = list(scan(disk.path))
    if not found:
        return None
    first = found[0]
    alike = [
        each for each in found if (each.size, each.is_redundant) == (first.size, first.is_redundant)
    ][: 2 if first.is_redundant else 1]
    return State(
        offsets=tuple(each.offset for each in alike),
        size=first.size,
        copies=tuple(each.copy for each in alike),
        source="scan",
    )


def require_state(disk: Disk) -> State:
    """The state of a disk that has one.

    Raises:
        ImageError: there is no valid environment, or the disk's layout.json does not tell where.
        OSError: the image cannot be read.
    """
    state = find_state(disk)
    is_valid = state is not None and state.newest is not None
    if disk.refusal and (not is_valid or isinstance(disk.refusal, (LayoutError, MatchError))):
        raise ImageError(str(disk.refusal))
    if state is None or not is_valid:
        raise ImageError(f"{disk.path}: no valid environment; `ota-image doctor` says why")
    return state


def scan(path: Path) -> Iterator[Found]:
    """Every copy of a usual size in the first 32 MiB, redundant or not.

    Raises:
        OSError: the image cannot be read.
    """
    with path.open("rb") as file:
        for offset in range(0, SCANNED, STEP):
            file.seek(offset)
            head = file.read(512)
            kinds = [each for each in (True, False) if _BEGINS.match(head, 5 if each else 4)]
            if not kinds:
                continue
            file.seek(offset)
            raw = file.read(SIZES[-1])
            for size in SIZES:
                for is_redundant in kinds:
                    copy = decode(raw[:size], is_redundant=is_redundant)
                    if copy and copy.variables and len(raw) >= size:
                        yield Found(offset, size, copy)


def change(disk: Disk, changes: Mapping[str, str]) -> dict[str, str]:
    """Set variables in both copies, and give all of them; an empty value removes a variable.

    The older copy is written first and synced, then the other, so that one is valid whenever the
    power fails. In the end both hold the same, as after two runs of fw_setenv. The second of GRUB's
    files is written first.

    Raises:
        ImageError: there is no valid environment.
        BoardError, ArtifactError: a variable that cannot be stored.
        BlockingIOError: a process of ours uses the image, such as a board in QEMU.
        OSError: the image cannot be written.
    """
    with hold(disk.path, remedy="wait until it has ended"):
        return _change(disk, changes)


def _change(disk: Disk, changes: Mapping[str, str]) -> dict[str, str]:
    state = require_state(disk)
    variables = {**state.variables, **changes}
    variables = {name: value for name, value in variables.items() if value}
    _write(disk, state, variables)
    return variables


def restore(disk: Disk, slot: str, factory: Mapping[str, str]) -> dict[str, str]:
    """Make both copies whole, and give their variables.

    One that is valid is the source of the other. If none is, they get what the factory writes, and
    the slot that runs, which alone counts as good.

    Args:
        slot: A or B, which runs.
        factory: all variables of a device of this board, as they leave the factory.

    Raises:
        ImageError: it is not known where the environment is, or which partition the slot is.
        ArtifactError: a variable that cannot be stored.
        OSError: the image cannot be written.
    """
    state = find_state(disk)
    if state is None or disk.layout is None:
        raise ImageError(f"{disk.path}: has no layout.json that says where its environment is")
    if state.newest is not None:
        return change(disk, {})
    number = disk.layout.partition(slot).number
    variables = {**factory, PART: str(number), **dict.fromkeys(GOOD.values(), "0"), GOOD[slot]: "1"}
    if PART_HEX in factory:
        variables[PART_HEX] = f"{number:x}"
    _write(disk, state, variables)
    return variables


def _write(disk: Disk, state: State, variables: Mapping[str, str]) -> None:
    """Write both copies, the older one first."""
    if state.source == "files":
        _write_grub(disk, variables)
        return
    index, count = state.newest or 0, len(state.offsets)
    current = state.copies[index]
    flag = current.flag if current else (0 if count > 1 else None)
    with disk.path.open("r+b", buffering=0) as file:
        for step in range(1, count + 1):
            place = state.offsets[(index + step) % count]
            counter = None if flag is None else (flag + step) % 256
            data = encode(variables, state.size, flag=counter)
            if os.pwrite(file.fileno(), data, place) != len(data):
                raise ImageError(f"{disk.path}: was not written completely; set it again")
            os.fsync(file.fileno())


def _grub_state(disk: Disk) -> State | None:
    boot = disk.boot
    if boot is None or not boot.exists(grub.FOLDER):
        return None
    found = (
        grub_block.decode_copy(
            boot.read(f"{folder}/{grub_block.STATE}"), boot.read(f"{folder}/{grub_block.LOCK}")
        )
        for folder in grub.COPIES
    )
    copies = tuple(None if each is None else Copy(each, None) for each in found)
    return State(offsets=(), size=grub_block.BLOCK, copies=copies, source="files")


def _write_grub(disk: Disk, variables: Mapping[str, str]) -> None:
    """Write both copies, the second first, each under its lock, as GRUB's own logic does."""
    boot = disk.boot
    if boot is None:
        return
    files = grub_block.encode_copy(variables)
    for folder in reversed(grub.COPIES):
        writes = (
            (grub_block.LOCK, grub_block.LOCKED),
            *((name, files[name]) for name in (grub_block.STATE, *_SHUT)),
        )
        for name, data in writes:
            _put(boot.open(), f"{folder}/{name}", data)
    noted = grub_block.decode_block(boot.read(grub.LAST) or b"")
    if boot.exists(grub.LAST) and noted is None:
        note = {grub_block.LAST: variables[PART]} if variables.get(PART) else {}
        _put(boot.open(), grub.LAST, grub_block.encode_block(note))


def _put(boot: Filesystem, path: str, data: bytes) -> None:
    """Write a file, in place if it is as long: the copies must stay apart on the disk."""
    if isinstance(boot, FatFilesystem) and boot.exists(path) and boot.file_size(path) == len(data):
        with boot.image.open("r+b", buffering=0) as image:
            at = 0
            for place, size in boot.places(path):
                os.pwrite(image.fileno(), data[at : at + size], place)
                at += size
            os.fsync(image.fileno())
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        boot.write_file(Path(file.name), path)


def _bytes(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
