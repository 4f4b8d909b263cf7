# SPDX-License-Identifier: Apache-2.0
"""The agent is killed at every point of an update: the old or the new system, and a true report.

Real processes and SIGKILL, a real server, real slots and fw_setenv; once the agent alone is
killed, and once the device goes down with it and boots.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_agent.memory.store import Store
from ota_agent.payloads.slot_writer import HEAD
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.simulators.mender_fleet import Deployment
from tests.simulators.mender_server import MenderServer, mender_server
from tests.unit.agent.kill.lives import REBOOTING, Points, lived
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

KILLED = -9
SLOT = 3 << 20  # [B]
MOST_LIVES = 12
STATES = ("ArtifactInstall_Enter_00", "ArtifactReboot_Leave_00", "ArtifactCommit_Enter_00")


@dataclass(kw_only=True)
class Bench:
    """A device and its server.

    Attributes:
        new: what the new root filesystem is.
    """

    device: Scratch
    deployment: Deployment
    new: bytes
    has_module: bool = False

    @property
    def points(self) -> Points:
        return Points(self.device.folder / "points")

    def update(self, fatal: int | None, *, with_device: bool) -> None:
        """Let it live until the update is over."""
        self.points.reset(fatal)
        log = self.device.folder / "log"
        for _ in range(MOST_LIVES):
            code = lived(self.device.configuration, self.points.path, log)
            self.check_slots()
            if code == REBOOTING or (code == KILLED and with_device):
                self.device.boot()
            elif code == 0 and self.deployment.is_over:
                return
            assert code in (0, KILLED, REBOOTING), log.read_text()
        raise AssertionError(f"no end after {MOST_LIVES} lives: {log.read_text()}")

    def check_slots(self) -> None:
        """No slot can be started, or counts as good in any copy, that is not whole."""
        for slot in "AB":
            content = self.device.slot(slot).read_bytes()
            is_new = content[: len(self.new)] == self.new
            is_old = content.startswith(b"old " * 1024) and not any(content[4096:])
            assert is_new or is_old or not any(content[:HEAD]), f"slot {slot} can be started"
            for copy in self.device.copies():
                is_good = copy.get(f"ota_good_{slot.lower()}") == "1"
                assert is_new or is_old or not is_good, f"slot {slot} is good"

    def outcome(self) -> str:
        """OLD or NEW, if all agrees: the slot, the module's file, the provides, the report."""
        said = set()
        running = self.device.running
        content = self.device.slot(running).read_bytes()
        said.add("NEW" if content[: len(self.new)] == self.new else "OLD")
        assert content[: len(self.new)] == self.new or content.startswith(b"old old ")
        environment = self.device.environment
        assert environment["upgrade_available"] == "0"
        said.add("NEW" if environment["mender_boot_part"] == "3" else "OLD")
        if self.has_module:
            said.add((self.device.folder / "app" / "file").read_text())
        store = Store(self.device.folder / "data" / "state.db")
        said.add("NEW" if store.provides["artifact_name"] == "v2" else "OLD")
        assert "INCONSISTENT" not in store.provides["artifact_name"]
        store.close()
        final = [each for each in self.deployment.statuses if each in ("success", "failure")]
        said.add({"success": "NEW", "failure": "OLD"}[final[-1]])
        assert len(set(final)) == 1
        assert not list((self.device.folder / "data" / "payloads").glob("*"))
        assert len(said) == 1, f"{said}: {(self.device.folder / 'log').read_text()}"
        return said.pop()


def artifact(folder: Path, new: bytes, *, has_module: bool) -> Path:
    """The update: a root filesystem, and a file of an app before it."""
    payloads = [
        PayloadSpec(PayloadHeader(type="rootfs-image"), sources(folder / "r", {"root": new}))
    ]
    if has_module:
        files = {
            "dest_dir": f"{folder}/device/app\n".encode(),
            "filename": b"file\n",
            "permissions": b"644\n",
            "file": b"NEW",
        }
        payloads.insert(
            0, PayloadSpec(PayloadHeader(type="single-file"), sources(folder / "m", files))
        )
    scripts = tuple(Script(name, b"#!/bin/sh\nexit 0\n") for name in STATES)
    headers = tuple(each.header for each in payloads)
    header = Header(
        version=3,
        artifact_name="v2",
        compatible_types=("scratch",),
        payloads=headers,
        scripts=scripts,
    )
    written(ArtifactSpec(header, tuple(payloads)), folder / "v2.mender")
    return folder / "v2.mender"


def bench(
    folder: Path, server: MenderServer, update: Path, new: bytes, *, has_module: bool
) -> Bench:
    """A device that has just left the factory, with an update to come."""
    shutil.rmtree(folder / "device", ignore_errors=True)
    device = scratch(
        folder / "device",
        slot=SLOT,
        server={"urls": [server.url]},
        tls={"allow_plain_http": True},
        attributes={"identity": [str(folder / "identity")], "inventory": []},
        key={"mender_key": ""},
        modules={"folders": [str(ROOT / "tools" / "agent" / "modules" / "v3")]},
        scripts={"folders": []},
        commit={"folder": str(folder / "health.d")},
        download={"checkpoint_bytes": 1 << 20},
    )
    identity = folder / "identity" / "mac"
    identity.parent.mkdir(exist_ok=True)
    identity.write_text(f"#!/bin/sh\necho mac={uuid.uuid4()}\n")
    identity.chmod(0o755)
    (device.folder / "app").mkdir()
    (device.folder / "app" / "file").write_text("OLD")
    return Bench(
        device=device, deployment=server.fleet.deploy(update), new=new, has_module=has_module
    )


@pytest.fixture(scope="module")
def server() -> Iterator[MenderServer]:
    with mender_server() as found:
        yield found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "stride",
    [
        pytest.param(12, marks=pytest.mark.boot, id="some"),
        pytest.param(1, marks=pytest.mark.full, id="all"),  # 250 points take minutes
    ],
)
@pytest.mark.parametrize("with_device", [False, True], ids=["agent", "device"])
@pytest.mark.parametrize("has_module", [False, True], ids=["rootfs", "rootfs and module"])
def test_killed_at_any_point_it_ends_old_or_new_with_a_true_report(
    tmp_path: Path, server: MenderServer, *, has_module: bool, with_device: bool, stride: int
) -> None:
    new = hashlib.shake_256(b"new").digest(2 << 20)
    update = artifact(tmp_path, new, has_module=has_module)
    whole = bench(tmp_path, server, update, new, has_module=has_module)
    whole.update(None, with_device=False)
    assert whole.outcome() == "NEW"
    count = whole.points.passed

    ends: dict[str, list[int]] = {"OLD": [], "NEW": []}
    for point in range(0, count, stride):
        each = bench(tmp_path, server, update, new, has_module=has_module)
        each.update(point, with_device=with_device)
        ends[each.outcome()].append(point)

    found = {end: len(points) for end, points in ends.items()}
    print(f"{count} kill points, {sum(found.values())} of them tried: {json.dumps(found)}")
    assert ends["NEW"]
    if not (with_device or has_module):
        assert not ends["OLD"], f"a killed agent alone continues: {ends['OLD']}"
