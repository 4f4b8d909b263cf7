# SPDX-License-Identifier: Apache-2.0
"""What cannot be resumed begins at byte 0 and says so, and it does that once."""

import json
import os
from dataclasses import replace
from pathlib import Path

import deflate
import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.checkpoint import recall
from ota_artifact import compressors
from ota_artifact.errors import ArtifactError
from tests.simulators.file_server import Manner, file_server
from tests.unit.agent.download.fetching import MIB, Device, artifact, asked, filesystem, killed

CONTENT = filesystem(5 * MIB + 777)
ROOTFS = {"rootfs.ext4": CONTENT}


def test_a_stream_without_boundaries_writes_only_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        compressors,
        "compress",
        lambda parts, how: iter((deflate.gzip_compress(b"".join(parts), 1),)),
    )
    monkeypatch.setattr("ota_artifact.writer.compress", compressors.compress)
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        asked(server)
        before = _watched(monkeypatch)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events == [
        "the stream has no boundaries: starting at byte 0, writing only what differs"
    ]
    assert asked(server) == [0]
    assert sum(before) == len(CONTENT) - 2 * MIB  # the head is held back


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much each write to a slot wrote [B]."""
    really, counts = os.pwrite, list[int]()

    def write(file: int, data: memoryview, at: int) -> int:
        counts.append(really(file, data, at))
        return counts[-1]

    monkeypatch.setattr(os, "pwrite", write)
    return counts


def test_a_slot_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        with device.slot.open("r+b") as slot:
            slot.seek(MIB)
            slot.write(bytes((CONTENT[MIB] ^ 1,)))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events == ["slot B does not hold what was written to it: starting afresh"]


def test_another_artifact_at_the_address_is_begun_afresh(tmp_path: Path) -> None:
    other = filesystem(5 * MIB, seed=7)
    with file_server(artifact(tmp_path, ROOTFS)) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        server.content, server.etag = artifact(tmp_path, {"rootfs.ext4": other}), '"2"'

        device.fetch(server.url)

    assert device.holds(other)
    assert device.events == ["the file has changed since it was begun: starting afresh"]


@pytest.mark.parametrize("change", ["mark", "payload", "slot", "format", "text"])
def test_a_checkpoint_of_something_else_is_not_used(tmp_path: Path, change: str) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        record = json.loads(device.text("checkpoint"))
        changed = {
            "mark": {**record, "mark": {"name": "x"}},
            "payload": {**record, "offset": 1024},
            "slot": {**record, "slot": "A"},
            "format": {**record, "format": 2},
            "text": "no record",
        }
        device.put("checkpoint", json.dumps(changed[change]))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events == []


def test_a_place_that_is_not_a_boundary_ends_in_a_fresh_start(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        record = json.loads(device.text("checkpoint"))
        record["mark"]["restart"]["read"] += 1
        device.put("checkpoint", json.dumps(record))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert "resumed after a restart at" in device.events[0]
    assert device.events[1].startswith("what was resumed is not right (data/0000.tar.gz: damaged")
    assert device.events[1].endswith("): starting afresh")


def test_a_digest_that_is_wrong_in_the_end_ends_in_one_fresh_start(tmp_path: Path) -> None:
    """The rest comes from another boundary: each byte is sound, and the whole is not."""
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        first = recall(device)
        device = killed(tmp_path, server.url, 4 * MIB)
        second = recall(device)
        assert first
        assert second
        assert first.mark
        assert second.mark
        wrong = replace(second.mark.restart, read=first.mark.restart.read)
        record = json.loads(device.text("checkpoint"))
        record["mark"]["restart"]["read"] = wrong.read
        device.put("checkpoint", json.dumps(record))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert "what was resumed is not right" in device.events[1]


def test_damage_that_does_not_come_from_resuming_is_an_error(tmp_path: Path) -> None:
    good = artifact(tmp_path, ROOTFS, compression="none")
    bad = bytearray(good)
    bad[-MIB] ^= 1
    with file_server(good) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        server.content = bytes(bad)

        with pytest.raises(ArtifactError, match="its sha256 is"):
            device.fetch(server.url)

    assert len([each for each in device.events if "starting afresh" in each]) == 1
    assert device.text("checkpoint") == ""


def test_a_server_without_ranges_is_read_over_after_a_restart(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.manner = Manner(has_ranges=False)
        device = killed(tmp_path, server.url, 4 * MIB)
        writes = len(device.told)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert len(device.told) < writes + 10
    assert device.events[0].startswith("resumed after a restart at ")
    assert any("the server ignores ranges: reading over" in each for each in device.events)


def test_neither_ranges_nor_validators_are_needed(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content, etag="") as server:
        server.manner = Manner(has_ranges=False)
        server.next = [Manner(has_ranges=False, close_after=3 * len(content) // 4)]
        device = Device(folder=tmp_path)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert any("up to where the slot is written" in each for each in device.events)


def test_a_budget_that_ends_keeps_what_is_there_for_the_next_try(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.next = [Manner(close_after=3 * len(content) // 4)]
        server.manner = Manner(status=503)
        device = Device(folder=tmp_path)
        with pytest.raises(AgentError, match="not one new byte"):
            device.fetch(server.url)
        server.manner = Manner()
        device = device.restarted()

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events[0].startswith("resumed after a restart at ")
