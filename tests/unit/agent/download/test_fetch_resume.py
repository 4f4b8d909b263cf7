# SPDX-License-Identifier: Apache-2.0
"""A fetch that was interrupted continues where the slot is proven, or says why it does not."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.checkpoint import recall
from ota_agent.payloads.slot_writer import HEAD
from ota_artifact.errors import ArtifactError
from tests.simulators.file_server import Manner, file_server
from tests.unit.agent.download.fetching import (
    MIB,
    OPTIONS,
    Device,
    Killed,
    artifact,
    asked,
    filesystem,
    killed,
)

CONTENT = filesystem(5 * MIB + 777)
ROOTFS = {"rootfs.ext4": CONTENT}


@pytest.mark.parametrize("compression", ["gzip", "zstd_fast", "none"])
def test_after_a_restart_only_the_rest_is_fetched(tmp_path: Path, compression: str) -> None:
    content = artifact(tmp_path, ROOTFS, compression=compression)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        asked(server)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    first, second = asked(server)
    assert first == 0
    assert second > len(content) // 3
    assert device.events == [f"resumed after a restart at {second} B"]
    assert device.told[-1].received < len(content) - second + len(content) // 3  # and the head
    assert device.kept == {"checkpoint": ""}


def test_a_kill_before_anything_but_the_head_starts_at_byte_0(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 2 * MIB)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events == ["little was written: starting at byte 0, writing only what differs"]


@pytest.mark.boot
def test_a_kill_at_each_block_leads_to_the_same_slot(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        for at in range(MIB, 6 * MIB, MIB):
            device = killed(tmp_path, server.url, min(at, len(CONTENT)))

            device.fetch(server.url)

            assert device.holds(CONTENT)
            device.slot.unlink()


def test_many_kills_in_a_row_lead_to_the_same_slot(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        for at in (4 * MIB, 5 * MIB):
            device = device.restarted(kill_at=at)
            with pytest.raises(Killed):
                device.fetch(server.url)
            assert device.events[0].startswith("resumed after a restart at ")
        device = device.restarted()

        device.fetch(server.url)

    assert device.holds(CONTENT)


def test_a_restart_in_the_middle_of_bad_network_is_resumed_all_the_same(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.manner = Manner(reset_after=len(content) // 20)
        device = killed(tmp_path, server.url, 4 * MIB)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert any(each.startswith("resumed after a restart at ") for each in device.events)


def test_a_file_on_this_device_is_resumed_too(tmp_path: Path) -> None:
    artifact(tmp_path, ROOTFS)
    device = killed(tmp_path, f"{tmp_path}/a.mender", 3 * MIB)

    device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)
    assert device.events[0].startswith("resumed after a restart at ")


def test_another_address_of_the_same_artifact_is_resumed(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, f"{server.url}?signed=1", 3 * MIB)
        server.etag = '"of-another-storage"'

        device.fetch(server.url.replace("a.mender", "b") + "?signed=2")

    assert device.holds(CONTENT)
    assert device.events[0].startswith("resumed after a restart at ")


def test_a_checkpoint_holds_neither_the_login_nor_the_signature(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        address = server.url.replace("://", "://ada:s3cret@")
        device = killed(tmp_path, f"{address}?X-Sig=abc", 3 * MIB)

    assert json.loads(device.text("checkpoint"))["source"] == server.url


def test_the_budget_for_all_of_it_outlives_a_restart(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        record = json.loads(device.text("checkpoint"))
        device.put("checkpoint", json.dumps({**record, "spent": 90_000.0}))

        with pytest.raises(AgentError, match="not done after 90000 s"):
            device.fetch(server.url)
        device.put("checkpoint", json.dumps({**record, "spent": 90_000.0}))
        device.fetch(server.url, "another deployment")

    assert device.holds(CONTENT)


def test_who_has_failed_may_try_again_with_all_the_time(tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 3 * MIB)
        record = json.loads(device.text("checkpoint"))
        device.put("checkpoint", json.dumps({**record, "spent": 90_000.0}))
        with pytest.raises(AgentError, match="not done after"):
            device.fetch(server.url)

        device.restarted().fetch(server.url)

    assert device.holds(CONTENT)


def test_a_checkpoint_that_cannot_be_kept_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(tmp_path, ROOTFS)
    device = Device(folder=tmp_path)

    def full(self: Device, name: str, text: str) -> None:
        raise AgentError("state.db: database or disk is full; make room on its filesystem")

    monkeypatch.setattr(Device, "put", full)

    device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)
    assert "no checkpoint: state.db: database or disk is full" in caplog.text


# A power cut takes what was not synced.


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_what_was_not_on_the_disk_is_fetched_again(tmp_path: Path, compression: str) -> None:
    content = artifact(tmp_path, ROOTFS, compression=compression)
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 4 * MIB)
        found = recall(device)
        assert found
        with device.slot.open("r+b") as slot:
            slot.seek(found.written)
            slot.write(b"\x5a" * (device.room - found.written))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.events[0].startswith("resumed after a restart at ")


def test_a_checkpoint_never_says_more_than_what_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact(tmp_path, ROOTFS)
    device = Device(folder=tmp_path)
    on_disk, said = [b""], list[tuple[int, bool]]()
    monkeypatch.setattr("os.fdatasync", lambda file: on_disk.append(device.slot.read_bytes()))
    monkeypatch.setattr("os.fsync", lambda file: on_disk.append(device.slot.read_bytes()))
    really = Device.put

    def put(self: Device, name: str, text: str) -> None:
        really(self, name, text)
        if found := recall(self):
            there = CONTENT[:HEAD] + on_disk[-1][HEAD:]  # the head is held back
            said.append((found.written, there[: found.written] == CONTENT[: found.written]))
            if found.mark:
                digest = hashlib.sha256(there[: found.mark.done]).hexdigest()
                assert digest == found.mark.sha256

    monkeypatch.setattr(Device, "put", put)

    device.fetch(f"{tmp_path}/a.mender")

    assert len(said) >= 5
    assert all(is_true for _, is_true in said)


# Several payloads.


def test_modules_before_the_slot_are_stored_again_and_the_slot_continues(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(MIB)
    content = artifact(tmp_path, {"one": noise}, ROOTFS, types=("single-file", "rootfs-image"))
    with file_server(content) as server:
        device = killed(tmp_path, server.url, 4 * MIB)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.modules[0].times == 2
    assert device.modules[0].stored == {"one": noise}
    assert device.events[0].startswith("resumed after a restart at ")


def test_a_slot_that_is_done_is_not_fetched_again(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(6 * MIB)
    content = artifact(tmp_path, ROOTFS, {"one": noise}, types=("rootfs-image", "single-file"))
    with file_server(content) as server:
        device = killed(tmp_path, server.url, len(noise))

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert device.modules[1].stored == {"one": noise}
    assert device.told[-1].received < len(noise) + MIB


@pytest.mark.parametrize("interval", [0.0, 1e9])
def test_time_alone_makes_a_checkpoint(tmp_path: Path, interval: float) -> None:
    options = replace(OPTIONS, checkpoint_bytes=1 << 40, checkpoint_interval=interval)
    artifact(tmp_path, ROOTFS)

    device = killed(tmp_path, f"{tmp_path}/a.mender", 3 * MIB, options=options)

    assert bool(device.text("checkpoint")) == (interval == 0.0)


# Nothing that is not verified can be started.


def test_an_artifact_that_is_forged_at_any_place_leaves_no_filesystem(tmp_path: Path) -> None:
    """Manifest and signature are genuine; of what follows, one byte is not."""
    module = random.Random(3).randbytes(MIB)
    good = artifact(
        tmp_path, ROOTFS, {"m": module}, types=("rootfs-image", "single-file"), compression="none"
    )
    for place in (good.index(CONTENT[:100]), good.index(CONTENT[-700:]), good.index(module) + 9):
        forged = bytearray(good)
        forged[place] ^= 1
        (tmp_path / "a.mender").write_bytes(forged)
        device = Device(folder=tmp_path)

        with pytest.raises(ArtifactError, match="its sha256 is"):
            device.fetch(f"{tmp_path}/a.mender")

        assert not any(device.slot.read_bytes()[:HEAD])
        assert "ota_good_b=0" in (tmp_path / "environment").read_text()


@pytest.mark.parametrize("at", [MIB, 3 * MIB, len(CONTENT)])
def test_an_agent_that_is_killed_leaves_no_filesystem(tmp_path: Path, at: int) -> None:
    artifact(tmp_path, ROOTFS)

    device = killed(tmp_path, f"{tmp_path}/a.mender", at)

    assert not any(device.slot.read_bytes()[:HEAD])
    assert "ota_good_b=0" in (tmp_path / "environment").read_text()


def test_a_good_slot_that_an_artifact_does_not_fit_into_stays_good(tmp_path: Path) -> None:
    artifact(tmp_path, ROOTFS)
    device = Device(folder=tmp_path, room=MIB)
    before = device.slot.read_bytes()

    with pytest.raises(AgentError, match="build it smaller"):
        device.fetch(f"{tmp_path}/a.mender")

    assert device.slot.read_bytes() == before
    assert "ota_good_b=1" in (tmp_path / "environment").read_text()
