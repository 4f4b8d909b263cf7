# SPDX-License-Identifier: Apache-2.0
"""Writes a root filesystem into the passive slot, and proves that it is there."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_agent.errors import AgentError

BLOCK = 1 << 20
"""What is compared and written at once [B]."""

Progress = Callable[[int], None]
"""Told how much of the payload is in the slot [B]."""


def write_slot(
    chunks: Iterable[bytes],
    node: Path,
    size: int,
    *,
    start: int,
    is_comparing: bool,
    progress: Progress,
    synced: Progress,
    sync_bytes: int,
    sync_interval: float,
) -> int:
    """Write a payload to a slot; it is on the disk when this returns.

    Memory is bounded by a block and a chunk. What is in the slot after an error is of no use, and
    nothing uses it. Gives how much was there already, and was not written again [B].

    Args:
        chunks: the payload's bytes from ``start`` on.
        node: a block device, or a file.
        size: of the whole payload [B].
        start: where the chunks begin [B].
        is_comparing: blocks are read first, and those that are equal are not written.
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
        there = bytearray(BLOCK) if is_comparing else bytearray()
        at, skipped = start, 0
        last, since = start, time.monotonic()
        for block in _blocks(chunks):
            with _blame(node, at):
                if is_comparing and _is_there(slot, block, at, there):
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
    return skipped


def hash_of_slot(node: Path, size: int) -> "hashlib._Hash":
    """SHA-256 of the first ``size`` bytes [B], read from the device and not from memory.

    Raises:
        AgentError: it cannot be read, or is shorter.
    """
    digest, at, buffer = hashlib.sha256(), 0, memoryview(bytearray(BLOCK))
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
    """Whether the slot holds a block already; ``buffer`` is as long as the longest."""
    if len(block) < len(buffer):
        return os.pread(slot, len(block), at) == block
    return os.preadv(slot, (buffer,), at) == len(block) and buffer == block


def _put(slot: int, data: bytearray, at: int) -> None:
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
