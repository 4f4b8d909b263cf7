# SPDX-License-Identifier: Apache-2.0
"""A process that fetches: killed for good, and measured."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from ota_agent.memory.store import Store
from ota_agent.payloads.checkpoint import Checkpoint, recall
from ota_agent.payloads.slot_writer import HEAD
from ota_artifact.run import Background, run
from tests.simulators.file_server import Manner, file_server
from tests.unit.agent.download.fetching import MIB, artifact, filesystem

ROOT = Path(__file__).parents[4]
MOST = 40_000_000
"""What a fetch may take with all that it loads, cryptography apart [B]."""

FETCH = """
import logging, sys
from pathlib import Path
from ota_agent.address import Address
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.file import File
from ota_agent.device.slots import Slot, Slots
from ota_agent.download.fetch import Fetch
from ota_agent.download import DownloadOptions
from ota_agent.download.source.retry import Surroundings
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.payloads.rootfs import RootFilesystem
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions

sys.modules["isal"] = None  # a device has none
url, folder = sys.argv[1], Path(sys.argv[2])
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
connections = pool(TlsOptions(allow_plain_http=True), timeout=10, environment={})
slots = Slots(Slot("A", folder / "none", 2), Slot("B", folder / "slot", 3))
boot = Boot(slots, lambda: slots.a, File(folder / "environment"))
Fetch(
    Update(source=Address(url)), options=DownloadOptions(), pool=lambda: connections,
    memory=Store(folder / "state.db"), keys=(), accept=lambda header, digest: None,
    begin=lambda header, trail: {
        0: RootFilesystem(boot=boot, target=slots.b, trail=trail, is_comparing=True,
                          is_reading_back=False, sync_bytes=1 << 20, sync_interval=10.0)},
    store_scripts=lambda scripts: None, progress=lambda progress: None,
    surroundings=Surroundings(),
).run()
for line in Path("/proc/self/status").read_text().splitlines():
    if line.startswith("VmHWM"):
        print("peak", int(line.split()[1]) * 1024)
"""


@pytest.mark.boot
def test_a_process_that_is_killed_leaves_what_the_next_one_continues_with(tmp_path: Path) -> None:
    content = filesystem(6 * MIB)
    packed = artifact(tmp_path, {"rootfs.ext4": content})
    (tmp_path / "environment").touch()
    (tmp_path / "slot").write_bytes(bytes(8 * MIB))
    command = (sys.executable, "-c", FETCH)
    with file_server(packed) as server:
        server.manner = Manner(drip=len(packed) // 300)  # 3 s and more
        process = Background((*command, server.url, tmp_path))
        try:
            _wait_for_a_mark(tmp_path / "state.db")
        finally:
            process.kill()
            process.close()
        server.manner = Manner()

        said = run((*command, server.url, tmp_path), timeout=50).decode()

    assert (tmp_path / "slot").read_bytes()[: len(content)] == content
    assert "download: resumed after a restart at " in said
    assert "install: slot B: 10 %" not in said
    assert "install: slot B: 100 %" in said


def recalled(path: Path) -> Checkpoint | None:
    """What is on the disk; the process holds its memory, so it is a copy that is read."""
    if not path.exists():
        return None
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    store = Store(copy)
    found = recall(store)
    store.close()
    return found


def _wait_for_a_mark(path: Path) -> None:
    end = time.monotonic() + 30
    while True:
        found = recalled(path)
        if found and found.mark and found.mark.done > HEAD:
            return
        assert time.monotonic() < end, f"no mark after 30 s, but {found}"
        time.sleep(0.02)


@pytest.mark.boot
def test_a_large_artifact_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    packed = artifact(tmp_path, {"rootfs.ext4": filesystem(96 * MIB)})
    (tmp_path / "environment").touch()
    (tmp_path / "slot").write_bytes(bytes(96 * MIB))
    with file_server(packed) as server:
        said = run((sys.executable, "-c", FETCH, server.url, tmp_path), timeout=50).decode()

    peak = int(said.rpartition("peak ")[2])
    assert 10_000_000 < peak < MOST
