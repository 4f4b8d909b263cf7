# SPDX-License-Identifier: Apache-2.0
"""The agent is killed wherever it takes a trust file: no key is lost, and none returns."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.config.ring import ring_of
from ota_agent.config.settings import load_settings
from ota_agent.lifecycle.floor import Floor, from_variable
from ota_agent.memory.store import Store
from tests.conftest import requires_program
from tests.simulators.mender_fleet import Deployment
from tests.simulators.mender_server import MenderServer, mender_server
from tests.unit.agent.cli.test_floor import ONE, OTHER
from tests.unit.agent.cli.test_rotation import THIRD, key, trust
from tests.unit.agent.kill.lives import Points, lived
from tests.unit.agent.scratch import Scratch, scratch

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

KILLED, MOST_LIVES = -9, 12
FILE = trust(1, key(OTHER), key(THIRD), signed=(ONE, OTHER), revoked=(ONE,))


@pytest.fixture(scope="module")
def server() -> Iterator[MenderServer]:
    with mender_server() as found:
        yield found


def device_of(folder: Path, server: MenderServer) -> Scratch:
    """One that trusts two keys, and has just left the factory."""
    shutil.rmtree(folder / "device", ignore_errors=True)
    for each in (ONE, OTHER):
        (folder / f"{each.name}.pem").write_text(each.public.pem)
    identity = folder / "identity" / "mac"
    identity.parent.mkdir(exist_ok=True)
    identity.write_text("#!/bin/sh\necho mac=1\n")
    identity.chmod(0o755)
    return scratch(
        folder / "device",
        slot=1 << 20,
        server={"urls": [server.url]},
        tls={"allow_plain_http": True},
        attributes={"identity": [str(identity.parent)], "inventory": []},
        key={"mender_key": ""},
        keys={"keys": [str(folder / f"{each.name}.pem") for each in (ONE, OTHER)]},
        scripts={"folders": []},
        commit={"folder": str(folder / "health.d")},
    )


def floor_of(device: Scratch) -> Floor:
    store = Store(device.folder / "data" / "state.db")
    found = store.floor
    store.close()
    for copy in device.copies():
        found = found.merged(from_variable(copy.get("ota_floor", "")))
    return found


def check(device: Scratch) -> bool:
    """Whether the new keys count; either the old or the new ones do, whole."""
    floor = floor_of(device)
    ring = ring_of(load_settings(device.configuration, menders=()), lambda: floor)
    good = {each.id for each in ring.good()}
    assert good in ({ONE.public.id, OTHER.public.id}, {OTHER.public.id, THIRD.public.id})
    is_new = THIRD.public.id in good
    assert is_new or not floor.revoked
    return is_new


def taken(
    folder: Path, server: MenderServer, update: Path, fatal: int | None, *, with_device: bool
) -> tuple[bool, int]:
    """Whether the new keys count in the end, and how many points there were."""
    device, log = device_of(folder, server), folder / "log"
    deployment: Deployment = server.fleet.deploy(update)
    points, was_new = Points(device.folder / "points"), False
    points.reset(fatal)
    for _ in range(MOST_LIVES):
        code = lived(device.configuration, points.path, log)
        is_new = check(device)
        assert is_new or not was_new, "a revoked key came back"
        was_new = is_new
        if code == KILLED and with_device:
            device.boot()
        elif code == 0 and deployment.is_over:
            break
        assert code in (0, KILLED), log.read_text()
    final = next(each for each in deployment.statuses if each in ("success", "failure"))
    assert was_new == (final == "success"), log.read_text()
    if was_new:
        copies = [from_variable(each.get("ota_floor", "")) for each in device.copies()]
        assert all(each.revoked == {ONE.public.id[:8]: 1} for each in copies)
    return was_new, points.passed


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "stride",
    [
        pytest.param(9, marks=pytest.mark.boot, id="some"),
        pytest.param(1, marks=pytest.mark.full, id="all"),  # each point takes seconds
    ],
)
@pytest.mark.parametrize("with_device", [False, True], ids=["agent", "device"])
def test_killed_at_any_point_the_old_or_the_new_keys_count(
    tmp_path: Path, server: MenderServer, *, with_device: bool, stride: int
) -> None:
    from tests.unit.agent.cli.test_floor import Board
    from tests.unit.agent.cli.test_rotation import carrying

    (tmp_path / "writer").mkdir()
    update = carrying(Board(tmp_path / "writer"), FILE)
    is_new, count = taken(tmp_path, server, update, None, with_device=False)
    assert is_new

    ends = [
        taken(tmp_path, server, update, point, with_device=with_device)[0]
        for point in range(0, count, stride)
    ]

    print(f"{count} kill points, {len(ends)} of them tried: {sum(ends)} new")
    assert any(ends)
