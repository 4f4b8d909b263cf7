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

from ota_agent.lifecycle.floor import from_variable
from ota_agent.memory.store import Store
from ota_agent.payloads.slot_writer import HEAD
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.security_version import provides_of
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
FLOOR = 5
STATES = ("ArtifactInstall_Enter_00", "ArtifactReboot_Leave_00", "ArtifactCommit_Enter_00")


@dataclass(kw_only=True)
class Bench:
    """A device and its server.

    Attributes:
        new: what the new root filesystem is.
        floor: the highest that was seen.
    """

    device: Scratch
    deployment: Deployment
    new: bytes
    has_module: bool = False
    floor: int = 0

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
        self.check_floor()

    def check_floor(self) -> None:
        """A floor that has risen in one place is never lost, and only a commit raises it."""
        store = Store(self.device.folder / "data" / "state.db")
        variables = (each.get("ota_floor", "") for each in self.device.copies())
        floors = (store.floor, *map(from_variable, variables))
        store.close()
        floor = max(each.of("rootfs-image", None) or 0 for each in floors)
        assert floor in (self.floor, FLOOR)
        if floor:
            environment = self.device.environment
            assert (environment["mender_boot_part"], environment["upgrade_available"]) == ("3", "0")
        self.floor = floor

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
        said.add("NEW" if store.floor.of("rootfs-image", None) == FLOOR else "OLD")
        store.close()
        in_environment = from_variable(environment.get("ota_floor", ""))
        said.add("NEW" if in_environment.of("rootfs-image", None) == FLOOR else "OLD")
        said.add("NEW" if environment.get("ota_good_a") == "0" else "OLD")  # it is below the floor
        final = [each for each in self.deployment.statuses if each in ("success", "failure")]
        said.add({"success": "NEW", "failure": "OLD"}[final[-1]])
        assert len(set(final)) == 1
        assert not list((self.device.folder / "data" / "payloads").glob("*"))
        assert len(said) == 1, f"{said}: {(self.device.folder / 'log').read_text()}"
        return said.pop()


def artifact(folder: Path, new: bytes, *, has_module: bool) -> Path:
    """The update: a root filesystem, and a file of an app before it."""
    number = provides_of(FLOOR)
    payloads = [
        PayloadSpec(
            PayloadHeader(type="rootfs-image", provides=number),
            sources(folder / "r", {"root": new}),
        )
    ]
    if has_module:
        files = {
            "dest_dir": f"{folder}/device/app\n".encode(),
            "filename": b"file\n",
            "permissions": b"644\n",
            "file": b"NEW",
        }
        number = provides_of(FLOOR, module="single-file")
        header = PayloadHeader(type="single-file", provides=number)
        payloads.insert(0, PayloadSpec(header, sources(folder / "m", files)))
    scripts = tuple(Script(name, b"#!/bin/sh\nexit 0\n") for name in STATES)
    headers = tuple(each.header for each in payloads)
    whole = Header(
        version=3,
        artifact_name="v2",
        compatible_types=("scratch",),
        payloads=headers,
        scripts=scripts,
    )
    written(ArtifactSpec(whole, tuple(payloads)), folder / "v2.mender")
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
        keys={"forbid_downgrade": True},
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
