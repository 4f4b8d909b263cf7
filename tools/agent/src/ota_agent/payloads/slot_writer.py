# SPDX-License-Identifier: Apache-2.0
"""Writes a root filesystem into the passive slot, and proves that it is there.

The first MiB, with the superblock, is held back: it is zeros before any other byte changes, and the
caller writes it when all of the artifact is verified. Until then no bootloader finds a filesystem.
"""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError

BLOCK = 1 << 20
"""What is compared and written at once [B]."""

_COMPARED = 1 << 18  # [B] that are read at once to compare them

HEAD = BLOCK
"""How much of a slot's beginning is held back [B]: more than any superblock is into it."""

Progress = Callable[[int], None]
"""Told how much of the payload is in the slot [B]."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing a slot.

    Attributes:
        head: what belongs into its first MiB, which holds zeros; empty if the payload's beginning
            was not among the chunks.
        skipped: how much was there already, and was not written again [B].
    """

    head: bytes
    skipped: int


def write_slot(
    chunks: Iterable[bytes],
    node: Path,
    size: int,
    *,
    start: int,
    is_comparing: bool,
    begin: Callable[[], None],
    progress: Progress,
    synced: Progress,
    sync_bytes: int,
    sync_interval: float,
) -> Written:
    """Write a payload to a slot, but for its head; it is on the disk when this returns.

    Memory is bounded by two blocks and a chunk. What is in the slot after an error is of no use,
    and nothing starts it.

    Args:
        chunks: the payload's bytes from ``start`` on.
        node: a block device, or a file.
        size: of the whole payload [B].
        start: where the chunks begin [B]: at 0, or behind the head.
        is_comparing: blocks are read first, and those that are equal are not written.
        begin: called once it is sure that the slot can be written, before anything in it changes.
        progress: told after each block.
        synced: told when all of it is on the disk: what was skipped as equal, too.
        sync_bytes: after so much the slot is synced, so that little is dirty in memory [B].
        sync_interval: the same after so long [s].

    Raises:
        AgentError: the slot is too small, mounted, or missing, or the device fails.
        ArtifactError: the payload is damaged: raised by ``chunks``, passed on.
    """
    with _open(node, os.O_RDWR) as slot:
        room = os.lseek(slot, 0, os.SEEK_END)
        if size > room:
            raise AgentError(
                f"{node}: the root filesystem has {size} B, and the slot {room}; build it smaller"
            )
        begin()
        _blank(slot, node)
        there = bytearray(_COMPARED)
        at, skipped, head = start, 0, b""
        last, since = start, time.monotonic()
        for block in _blocks(chunks):
            with _blame(node, at):
                if at < HEAD:
                    head = bytes(block)
                elif is_comparing and _is_there(slot, block, at, there):
                    skipped += len(block)
                else:
                    _put(slot, block, at)
                at += len(block)
                is_due = at - last >= sync_bytes or time.monotonic() - since >= sync_interval
                if is_due:
                    os.fdatasync(slot)
            if is_due:
                synced(at)
                last, since = at, time.monotonic()
            progress(at)
        with _blame(node, at):
            os.fsync(slot)
        if at > last:
            synced(at)
    return Written(head, skipped)


def write_head(node: Path, head: bytes) -> None:
    """Write what was held back: from now on the slot can be started; it is on the disk.

    Raises:
        AgentError: the slot is mounted, or missing, or the device fails.
    """
    with _open(node, os.O_RDWR) as slot, _blame(node, 0):
        _put(slot, head, 0)
        os.fsync(slot)


def blank_slot(node: Path) -> None:
    """Take the head away: no bootloader finds a filesystem there; it is on the disk.

    Raises:
        AgentError: the slot is mounted, or missing, or the device fails.
    """
    with _open(node, os.O_RDWR) as slot:
        _blank(slot, node)


def hash_of_slot(node: Path, size: int, head: bytes = b"") -> "hashlib._Hash":
    """SHA-256 of the first ``size`` bytes [B], read from the device and not from memory.

    Args:
        head: these bytes stand for the slot's own first ones, as they were held back.

    Raises:
        AgentError: it cannot be read, or is shorter.
    """
    digest, at, buffer = hashlib.sha256(head), len(head), memoryview(bytearray(BLOCK))
    with _open(node, os.O_RDONLY) as slot:
        os.posix_fadvise(slot, 0, size, os.POSIX_FADV_DONTNEED)
        while at < size:
            with _blame(node, at):
                count = os.preadv(slot, (buffer[: size - at],), at)
            if not count:
                raise AgentError(f"{node}: ends at {at} of {size} B")
            digest.update(buffer[:count])
            at += count
    return digest


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytearray]:
    """The same bytes in blocks of one size, the last one shorter; it is one buffer all the time."""
    block = bytearray(BLOCK)
    view, used = memoryview(block), 0
    for chunk in chunks:
        taken = 0
        while taken < len(chunk):
            count = min(len(chunk) - taken, BLOCK - used)
            view[used : used + count] = chunk[taken : taken + count]
            taken, used = taken + count, used + count
            if used == BLOCK:
                yield block
                used = 0
    if used:
        yield block[:used]


def _is_there(slot: int, block: bytearray, at: int, buffer: bytearray) -> bool:
    """Whether the slot holds a block already; it is read into ``buffer``, part by part."""
    with memoryview(block) as whole:
        for start in range(0, len(whole), len(buffer)):
            part = whole[start : start + len(buffer)]
            if len(part) < len(buffer):
                return os.pread(slot, len(part), at + start) == part
            # A bytearray is compared as memory; a memoryview would be compared item by item.
            if os.preadv(slot, (buffer,), at + start) != len(part) or buffer != part:
                return False
    return True


def _blank(slot: int, node: Path) -> None:
    """Have zeros in the head, and on the disk, before anything else."""
    with _blame(node, 0):
        if any(head := os.pread(slot, HEAD, 0)):
            _put(slot, bytes(len(head)), 0)
        os.fsync(slot)


def _put(slot: int, data: bytes | bytearray, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(slot, view, at)
        view, at = view[count:], at + count


@contextmanager
def _open(node: Path, flags: int) -> Iterator[int]:
    """A slot, by itself alone: the kernel refuses one that is mounted."""
    try:
        if flags != os.O_RDONLY and stat.S_ISBLK(node.stat().st_mode):
            flags |= os.O_EXCL  # Source: open(2), for a block device
        slot = os.open(node, flags | os.O_CLOEXEC)
    except OSError as error:
        busy = "; it is mounted: unmount it, or is it the slot that runs?"
        raise AgentError(
            f"{node}: {error.strerror}{busy if error.errno == errno.EBUSY else ''}"
        ) from error
    try:
        yield slot
    finally:
        os.close(slot)


@contextmanager
def _blame(node: Path, at: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AgentError(
            f"{node}: {error.strerror} near byte {at}; the device fails, or is write-protected"
        ) from error
