# SPDX-License-Identifier: Apache-2.0
"""The passive slot: whole and on the disk, or an error that says what and where."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_agent.errors import AgentError
from ota_agent.payloads.slot_writer import (
    BLOCK,
    HEAD,
    blank_slot,
    hash_of_slot,
    write_head,
    write_slot,
)
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.run import run

SIZE = 3 * BLOCK + 12345
PAYLOAD = bytes(range(256)) * (SIZE // 256) + b"x" * (SIZE % 256)

write = partial(
    write_slot,
    start=0,
    is_comparing=True,
    begin=lambda: None,
    progress=lambda done: None,
    synced=lambda done: None,
    sync_bytes=16 << 20,
    sync_interval=10.0,
)


def install(data: bytes, slot: Path) -> int:
    """Write all of it, the head last; gives how much was there already."""
    done = write(pieces(data), slot, len(data))
    write_head(slot, done.head)
    return done.skipped


def pieces(data: bytes, size: int = 50_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    path = tmp_path / "slot"
    path.write_bytes(b"\xa5" * (4 * BLOCK))
    return path


@pytest.fixture
def device(slot: Path) -> Iterator[Path]:
    """The same as a block device, where the machine has loop devices to give."""
    try:
        said = run(("losetup", "--find", "--show", slot), timeout=10)
    except ProgramError as error:
        pytest.skip(f"no loop device here: {error}")
    path = Path(said.decode().strip())
    yield path
    run(("losetup", "--detach", path), timeout=10)


def test_the_payload_is_in_the_slot_and_what_is_behind_it_stays(slot: Path) -> None:
    told: list[int] = []

    done = write(pieces(PAYLOAD), slot, SIZE, progress=told.append)
    write_head(slot, done.head)

    data = slot.read_bytes()
    assert data[:SIZE] == PAYLOAD
    assert set(data[SIZE:]) == {0xA5}
    assert done.skipped == 0
    assert told == [BLOCK, 2 * BLOCK, 3 * BLOCK, SIZE]
    assert hash_of_slot(slot, SIZE).hexdigest() == hashlib.sha256(PAYLOAD).hexdigest()


def test_a_block_device_is_written_as_a_file_is(device: Path) -> None:
    install(PAYLOAD, device)

    assert hash_of_slot(device, SIZE).hexdigest() == hashlib.sha256(PAYLOAD).hexdigest()


def test_blocks_that_are_there_are_not_written_again(slot: Path) -> None:
    install(PAYLOAD, slot)
    changed = PAYLOAD[: 2 * BLOCK] + b"new" + PAYLOAD[2 * BLOCK + 3 :]

    assert install(changed, slot) == SIZE - HEAD - BLOCK
    assert slot.read_bytes()[:SIZE] == changed


def test_all_is_written_if_comparing_is_off(slot: Path) -> None:
    install(PAYLOAD, slot)

    assert write(pieces(PAYLOAD), slot, SIZE, is_comparing=False).skipped == 0


def test_a_payload_continues_where_it_stopped(slot: Path) -> None:
    with pytest.raises(ArtifactError, match="broken"):
        write(_broken(PAYLOAD, 2 * BLOCK + 7), slot, SIZE)

    done = write(pieces(PAYLOAD[2 * BLOCK :]), slot, SIZE, start=2 * BLOCK)

    assert done.head == b""
    digest = hash_of_slot(slot, SIZE, PAYLOAD[:HEAD]).hexdigest()
    assert digest == hashlib.sha256(PAYLOAD).hexdigest()
    write_head(slot, PAYLOAD[:HEAD])
    assert hash_of_slot(slot, SIZE).hexdigest() == hashlib.sha256(PAYLOAD).hexdigest()


def _broken(data: bytes, at: int) -> Iterator[bytes]:
    yield from pieces(data[:at])
    raise ArtifactError("broken")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, BLOCK * 2), min_size=1, max_size=6))
def test_pieces_of_any_size_give_the_same_slot(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("any") / "slot"
    path.write_bytes(bytes(sum(sizes)))
    chunks = [bytes([number + 1]) * size for number, size in enumerate(sizes)]

    write_head(path, write(chunks, path, sum(sizes)).head)

    assert path.read_bytes() == b"".join(chunks)


# Nothing unproven can be started: until the end there is no superblock.


@pytest.mark.parametrize("is_comparing", [True, False])
def test_the_head_is_zeros_on_the_disk_before_any_other_byte_changes(
    slot: Path, monkeypatch: pytest.MonkeyPatch, *, is_comparing: bool
) -> None:
    install(PAYLOAD[::-1], slot)
    before = slot.read_bytes()
    seen = ["begin"]
    really = os.pwrite, os.fsync

    def pwrite(file: int, data: bytes, at: int) -> int:
        seen.append(f"write {at // BLOCK}")
        return really[0](file, data, at)

    def fsync(file: int) -> None:
        really[1](file)
        seen.append("sync")
        assert not any(slot.read_bytes()[:HEAD])

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "fsync", fsync)

    def begin() -> None:
        assert slot.read_bytes() == before

    write(pieces(PAYLOAD), slot, SIZE, is_comparing=is_comparing, begin=begin)

    assert seen == ["begin", "write 0", "sync", "write 1", "write 2", "write 3", "sync"]
    assert not any(slot.read_bytes()[:HEAD])


def test_a_payload_that_is_damaged_anywhere_leaves_no_superblock(slot: Path) -> None:
    install(PAYLOAD[::-1], slot)
    for end in (0, 1, BLOCK - 1, BLOCK, SIZE):
        with pytest.raises(ArtifactError, match="broken"):
            write(_broken(PAYLOAD, end), slot, SIZE)

        assert not any(slot.read_bytes()[:HEAD])


def test_an_equal_slot_is_not_written_and_has_its_head_in_the_end(slot: Path) -> None:
    install(PAYLOAD, slot)

    assert install(PAYLOAD, slot) == SIZE - HEAD

    assert slot.read_bytes()[:SIZE] == PAYLOAD


def test_a_payload_shorter_than_the_head_is_held_back_as_a_whole(slot: Path) -> None:
    done = write([b"short"], slot, 5)

    assert not any(slot.read_bytes()[:HEAD])
    write_head(slot, done.head)
    assert slot.read_bytes()[:HEAD] == b"short".ljust(HEAD, b"\0")


def test_a_slot_that_is_blanked_keeps_all_but_its_head(slot: Path) -> None:
    install(PAYLOAD, slot)

    blank_slot(slot)

    assert slot.read_bytes()[:SIZE] == bytes(HEAD) + PAYLOAD[HEAD:]


# What goes wrong.


def test_a_slot_that_is_too_small_is_left_alone(slot: Path) -> None:
    before = slot.read_bytes()

    def begin() -> None:
        raise AssertionError("nothing is to be told of a slot that stays as it is")

    with pytest.raises(AgentError, match=r"slot: the root filesystem has 4194305 B, and the slot"):
        write(pieces(bytes(4 * BLOCK + 1)), slot, 4 * BLOCK + 1, begin=begin)

    assert slot.read_bytes() == before


def test_a_slot_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="none: No such file or directory"):
        write([b"x"], tmp_path / "none", 1)


def test_a_mounted_slot_is_refused_by_the_kernel(device: Path, tmp_path: Path) -> None:
    run(("mke2fs", "-q", "-F", device), timeout=30)
    (tmp_path / "mounted").mkdir()
    try:
        run(("mount", device, tmp_path / "mounted"), timeout=10)
    except ProgramError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    try:
        with pytest.raises(AgentError, match="it is mounted: unmount it, or is it the slot that"):
            write(pieces(PAYLOAD), device, SIZE)
    finally:
        run(("umount", tmp_path / "mounted"), timeout=10)


def test_a_device_that_takes_no_writes_is_named_with_the_place(device: Path) -> None:
    run(("blockdev", "--setro", device), timeout=10)
    try:
        with pytest.raises(AgentError, match=f"{device}: "):
            write(pieces(PAYLOAD), device, SIZE)
    finally:  # the next owner of the loop device would find it so
        run(("blockdev", "--setrw", device), timeout=10)


def test_a_slot_that_ends_too_early_cannot_be_proven(slot: Path) -> None:
    os.truncate(slot, BLOCK)

    with pytest.raises(AgentError, match=f"ends at {BLOCK} of {SIZE} B"):
        hash_of_slot(slot, SIZE)
