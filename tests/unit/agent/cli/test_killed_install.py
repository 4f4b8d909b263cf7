# SPDX-License-Identifier: Apache-2.0
"""`ota-agent install URL`, a process of its own, killed at random and called again."""

import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

from ota_artifact.header import Header, PayloadHeader
from ota_artifact.run import Background, run
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.simulators.file_server import file_server
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

MIB = 1 << 20
SIZE = 24 * MIB
KILLS = 10


def command(device: Scratch, *words: str) -> list[str]:
    return [sys.executable, "-m", "ota_agent.cli.main", *words, "-c", str(device.configuration)]


def changed(before: bytes, now: bytes) -> int:
    """How much has been written, by blocks of 64 KiB [B]."""
    block = 1 << 16
    places = range(0, SIZE, block)
    return sum(block for at in places if before[at : at + block] != now[at : at + block])


@pytest.mark.boot
@pytest.mark.timeout(180)
def test_killed_ten_times_it_continues_and_the_slot_is_the_payload(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    number = random.Random(seed)
    content = hashlib.shake_256(b"release").digest(SIZE)
    payload = PayloadSpec(
        PayloadHeader(type="rootfs-image"), sources(tmp_path / "r", {"root": content})
    )
    header = Header(
        version=3, artifact_name="v2", compatible_types=("scratch",), payloads=(payload.header,)
    )
    data = written(ArtifactSpec(header, (payload,)), tmp_path / "v2.mender")
    device = scratch(
        tmp_path / "device",
        slot=SIZE,
        tls={"allow_plain_http": True},
        download={"bandwidth": 4 * MIB, "checkpoint_bytes": MIB},
        commit={"folder": str(tmp_path / "none")},
    )
    watcher = Background(command(device, "status", "--watch"))

    with file_server(data) as server:
        for kill in range(KILLS):
            before, end = len(server.requests), time.monotonic() + 20
            process = Background(command(device, "install", server.url))
            while len(server.requests) == before and time.monotonic() < end:
                time.sleep(0.01)
            if kill == KILLS // 2:  # so many may have come before the first checkpoint
                at = device.slot("B").read_bytes()
                while changed(at, device.slot("B").read_bytes()) < 2 * MIB:
                    assert time.monotonic() < end + 20, "nothing is written"
                    time.sleep(0.05)
            time.sleep(number.uniform(0.1, 0.7))
            assert process.is_running, os.read(process.output, 1 << 16)
            process.kill()
            process.close()
        said = run(command(device, "install", server.url), timeout=60)
        starts = [each.start for each in server.requests]
    watcher.kill()
    shown = os.read(watcher.output, 1 << 16).decode()
    watcher.close()

    assert b"Installed, but not committed." in said
    assert device.slot("B").read_bytes() == content
    assert device.environment["upgrade_available"] == "1"
    resumed = [each for each in starts if each]
    assert resumed
    assert resumed == sorted(resumed)
    assert "slot B" in shown, shown
    status = json.loads(run(command(device, "status", "--json"), timeout=10))
    assert status["state"] == "Installed"
