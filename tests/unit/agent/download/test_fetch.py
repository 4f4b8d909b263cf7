# SPDX-License-Identifier: Apache-2.0
"""An artifact is read once, and what it holds is where it belongs: or nothing is."""

import hashlib
import logging
import os
import random
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.update import Artifact
from ota_artifact.errors import ArtifactError, SignatureError
from ota_artifact.header import Script
from tests.golden.keys import EC_KEY, OTHER_KEY
from tests.simulators.file_server import Manner, file_server
from tests.unit.agent.download.fetching import MIB, Device, Module, artifact, filesystem

CONTENT = filesystem(3 * MIB + 777)
ROOTFS = {"rootfs.ext4": CONTENT}


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(folder=tmp_path)


def test_a_root_filesystem_is_in_the_slot_and_the_artifact_is_described(
    device: Device, tmp_path: Path
) -> None:
    scripts = (Script("ArtifactInstall_Enter_00", b"#!/bin/sh\n"),)
    artifact(tmp_path, ROOTFS, scripts=scripts)
    with tarfile.open(tmp_path / "a.mender") as tar:
        manifest = tar.extractfile("manifest").read()  # type: ignore[union-attr]

    fetched = device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)
    assert fetched == Fetched(
        Artifact(
            name="release-2",
            group="beta",
            types=("rootfs-image",),
            provides={"rootfs-image-0.version": "2"},
            clears=("rootfs-image.*",),
            digest=hashlib.sha256(manifest).hexdigest(),
            size=len(CONTENT),
        ),
        "B",
    )
    assert device.scripts == [scripts]
    assert device.kept == {"checkpoint": ""}
    assert device.told[-1].done == device.told[-1].size == len(CONTENT)
    assert (device.told[-1].artifact, device.told[-1].slot) == ("release-2", "B")


def test_the_same_over_http_with_the_progress_of_the_network(
    device: Device, tmp_path: Path
) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        device.fetch(server.url)

    assert device.holds(CONTENT)
    last = device.told[-1]
    assert (last.total, last.event) == (len(content), "")
    assert last.read == last.received <= len(content)


def test_each_tenth_is_in_the_log(
    device: Device, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(tmp_path, ROOTFS)

    with caplog.at_level(logging.INFO):
        device.fetch(f"{tmp_path}/a.mender")

    lines = [each.getMessage() for each in caplog.records if "install:" in each.getMessage()]
    assert lines == [f"install: slot B: {percent} %" for percent in range(10, 101, 10)]


@pytest.mark.parametrize("compression", ["none", "lzma", "zstd_fast"])
def test_each_compression_is_taken(device: Device, tmp_path: Path, compression: str) -> None:
    artifact(tmp_path, ROOTFS, compression=compression)

    device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)


def test_an_artifact_comes_through_a_pipe(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = random.Random(1).randbytes(20_000)
    content = artifact(tmp_path, {"rootfs.ext4": small})
    out, into = os.pipe()
    os.write(into, content)
    os.close(into)
    monkeypatch.setattr("ota_agent.download.source.file._STDIN", out)

    device.fetch("-")

    os.close(out)
    assert device.holds(small)


class Unfinished(Module):
    """It fails when all of the artifact is verified."""

    def finish(self) -> None:
        raise AgentError("no room")


def test_a_slot_gets_its_head_when_all_others_are_done(device: Device, tmp_path: Path) -> None:
    device.modules[1] = Unfinished()
    artifact(tmp_path, ROOTFS, {"f": b"x"}, types=("rootfs-image", "one"))

    with pytest.raises(AgentError, match="no room"):
        device.fetch(str(tmp_path / "a.mender"))

    assert not any(device.slot.read_bytes()[:MIB])


def test_other_payloads_go_to_their_modules(device: Device, tmp_path: Path) -> None:
    artifact(
        tmp_path,
        {"one": b"1"},
        ROOTFS,
        {"two": b"22", "three": b"333"},
        types=("single-file", "rootfs-image", "directory"),
    )

    fetched = device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)
    assert device.modules[0].stored == {"one": b"1"}
    assert device.modules[2].stored == {"two": b"22", "three": b"333"}
    assert fetched.artifact.types == ("single-file", "rootfs-image", "directory")
    assert fetched.artifact.clears == ("single-file.*", "rootfs-image.*", "directory.*")


def test_an_update_without_a_root_filesystem_has_no_target(device: Device, tmp_path: Path) -> None:
    artifact(tmp_path, {"one": b"1"}, types=("single-file",))

    assert device.fetch(f"{tmp_path}/a.mender").target == ""


def test_an_empty_payload_has_nothing_to_store(device: Device, tmp_path: Path) -> None:
    artifact(tmp_path, {}, types=(None,))

    fetched = device.fetch(f"{tmp_path}/a.mender")

    assert fetched.artifact.types == (None,)
    assert device.modules == {}


def test_what_is_there_is_not_written_again_but_for_the_head(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact(tmp_path, ROOTFS)
    device.fetch(f"{tmp_path}/a.mender")
    really, places = os.pwrite, list[int]()

    def write(file: int, data: bytes, at: int) -> int:
        places.append(at)
        return really(file, data, at)

    monkeypatch.setattr(os, "pwrite", write)

    device.restarted().fetch(f"{tmp_path}/a.mender")

    assert places == [0, 0]
    assert device.holds(CONTENT)


def test_the_slot_is_read_back_if_that_is_wanted(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage that loses what it took: each write puts a zero first."""
    artifact(tmp_path, ROOTFS)
    careful = device.restarted(options=replace(device.options, is_reading_back=True))
    careful.fetch(f"{tmp_path}/a.mender")
    really = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: really(file, b"\0" + data[1:], at))
    device.slot.write_bytes(bytes(device.room))

    with pytest.raises(AgentError, match="reads back with the sha256"):
        careful.restarted().fetch(f"{tmp_path}/a.mender")


# What is refused, before anything is written.


def untouched(device: Device) -> bool:
    return device.slot.read_bytes() == b"\xa5" * device.room and not device.modules


def test_an_artifact_for_another_device_changes_nothing(device: Device, tmp_path: Path) -> None:
    artifact(tmp_path, ROOTFS)
    device.device_type = "other"

    with pytest.raises(AgentError, match="is for board, and this device is 'other'"):
        device.fetch(f"{tmp_path}/a.mender")

    assert untouched(device)
    assert device.scripts == []


@pytest.mark.parametrize("signer", [None, OTHER_KEY])
def test_an_artifact_of_nobody_we_know_changes_nothing(tmp_path: Path, signer: object) -> None:
    device = Device(folder=tmp_path, keys=(EC_KEY.public,))
    artifact(tmp_path, ROOTFS, signer=signer)  # type: ignore[arg-type]

    with pytest.raises(SignatureError):
        device.fetch(f"{tmp_path}/a.mender")

    assert untouched(device)


def test_a_signed_artifact_is_taken(tmp_path: Path) -> None:
    device = Device(folder=tmp_path, keys=(EC_KEY.public,))
    artifact(tmp_path, ROOTFS, signer=EC_KEY)

    device.fetch(f"{tmp_path}/a.mender")

    assert device.holds(CONTENT)


def test_a_slot_without_room_is_left_alone(tmp_path: Path) -> None:
    device = Device(folder=tmp_path, room=3 * MIB)
    artifact(tmp_path, ROOTFS)

    with pytest.raises(AgentError, match=f"has {len(CONTENT)} B, and the slot {3 * MIB}"):
        device.fetch(f"{tmp_path}/a.mender")

    assert untouched(device)


def test_damage_is_an_error_and_the_checkpoint_is_dropped(device: Device, tmp_path: Path) -> None:
    content = bytearray(artifact(tmp_path, ROOTFS, compression="none"))
    content[-MIB] ^= 1
    (tmp_path / "a.mender").write_bytes(content)

    with pytest.raises(ArtifactError, match="its sha256 is"):
        device.fetch(f"{tmp_path}/a.mender")

    assert device.text("checkpoint") == ""


def test_an_abort_ends_it(device: Device, tmp_path: Path) -> None:
    artifact(tmp_path, ROOTFS)
    device.time.aborted = AgentError("aborted by the server")

    with pytest.raises(AgentError, match="aborted by the server"):
        device.fetch(f"{tmp_path}/a.mender")


# The network, at its worst.


@pytest.mark.boot
@pytest.mark.timeout(120)
def test_a_reset_at_every_hundredth_leads_to_the_same_slot(device: Device, tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    wanted = hashlib.sha256(CONTENT).hexdigest()
    with file_server(content) as server:
        for percent in range(100):
            device.slot.write_bytes(bytes(device.room))
            server.requests.clear()
            server.next = [Manner(reset_after=len(content) * percent // 100)]
            each = device.restarted()

            each.fetch(server.url)

            written = each.slot.read_bytes()[: len(CONTENT)]
            assert hashlib.sha256(written).hexdigest() == wanted, percent
            assert len(server.requests) == 2, percent


def test_a_reset_after_each_hundredth_leads_to_the_same_slot(
    device: Device, tmp_path: Path
) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.manner = Manner(reset_after=len(content) // 100)

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert len(server.requests) >= 100
    assert device.told[-1].received < 1.1 * len(content)


def test_a_file_that_changes_under_way_is_begun_again(device: Device, tmp_path: Path) -> None:
    old = artifact(tmp_path, {"rootfs.ext4": filesystem(2 * MIB, seed=2)})
    new = artifact(tmp_path, ROOTFS)
    with file_server(old) as server:
        server.next = [Manner(close_after=len(old) // 2)]

        def change() -> None:
            server.content, server.etag = new, '"2"'

        device.time.meanwhile = change
        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert any("the server's file has changed: starting afresh" in each for each in device.events)


def test_a_server_without_ranges_is_read_over(device: Device, tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.manner = Manner(has_ranges=False)
        server.next = [Manner(has_ranges=False, close_after=len(content) // 2)]

        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert any("the server ignores ranges: reading over" in each for each in device.events)


def test_a_file_that_changes_unseen_is_begun_again(device: Device, tmp_path: Path) -> None:
    """Nothing but the digest tells: no validators, and the same length."""
    other = bytearray(CONTENT)
    other[-1] ^= 1
    old = artifact(tmp_path, {"rootfs.ext4": bytes(other)}, compression="none")
    new = artifact(tmp_path, ROOTFS, compression="none")
    assert len(old) == len(new)
    with file_server(old, etag="") as server:
        server.next = [Manner(close_after=len(old) // 2)]

        def change() -> None:
            server.content = new

        device.time.meanwhile = change
        device.fetch(server.url)

    assert device.holds(CONTENT)
    assert any("what was resumed is not right" in each for each in device.events)


def test_an_end_that_nobody_announced_may_be_no_end(device: Device, tmp_path: Path) -> None:
    content = artifact(tmp_path, ROOTFS)
    with file_server(content) as server:
        server.next = [
            Manner(close_after=len(content) // 2, headers={"Content-Length": ""}),
        ]

        device.fetch(server.url)

    assert device.holds(CONTENT)


def test_damage_at_the_server_is_not_fetched_a_second_time(device: Device, tmp_path: Path) -> None:
    content = bytearray(artifact(tmp_path, ROOTFS, compression="none"))
    content[-MIB] ^= 1
    with file_server(bytes(content)) as server:
        with pytest.raises(ArtifactError, match="its sha256 is"):
            device.fetch(server.url)

        assert len(server.requests) == 1


def test_damage_behind_a_bad_connection_is_fetched_twice_and_no_more(
    device: Device, tmp_path: Path
) -> None:
    content = bytearray(artifact(tmp_path, ROOTFS, compression="none"))
    content[-MIB] ^= 1
    with file_server(bytes(content)) as server:
        server.manner = Manner(close_after=2 * len(content) // 3)

        with pytest.raises(ArtifactError, match="its sha256 is"):
            device.fetch(server.url)

        assert [each.start for each in server.requests].count(0) == 2
