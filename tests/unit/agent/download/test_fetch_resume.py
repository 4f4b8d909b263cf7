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
    assert device.told[-1].received < 0.75 * len(content)
    assert device.kept == {"checkpoint": ""}


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
        device = killed(tmp_path, server.url, 2 * MIB)
        for at in (3 * MIB, 4 * MIB, 5 * MIB):
            device = device.restarted(kill_at=at)
            with pytest.raises(Killed):
                device.fetch(server.url)
            assert device.told[-1].received < len(content) // 2
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
    assert device.events[0].startswith("resumed after a restart at ")


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
            said.append((found.written, on_disk[-1][: found.written] == CONTENT[: found.written]))
            if found.mark:
                there = hashlib.sha256(on_disk[-1][: found.mark.done]).hexdigest()
                assert there == found.mark.sha256

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
