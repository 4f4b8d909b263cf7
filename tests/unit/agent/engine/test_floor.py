# SPDX-License-Identifier: Apache-2.0
"""Both copies of the floor: what one has lost, the other one brings back."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ota_agent.bootloader.find import boot_of
from ota_agent.config.settings import Settings, load_settings
from ota_agent.engine import floor as module
from ota_agent.engine.floor import FloorKeeper
from ota_agent.lifecycle.floor import Floor
from ota_agent.lifecycle.update import Artifact
from ota_agent.memory.runs import Running
from ota_agent.memory.store import Store
from tests.conftest import requires_program
from tests.unit.agent.scratch import Scratch, scratch

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

FIVE = Floor({("rootfs-image", ""): 5})
COMMITTED = Running(slot="A")


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(tmp_path / "device", slot=1 << 16, keys={"forbid_downgrade": True})


@pytest.fixture
def keeper(device: Scratch) -> Iterator[FloorKeeper]:
    settings = load_settings(device.configuration, menders=())
    with closing(Store(settings.device.store)) as store:
        yield FloorKeeper(settings=settings, store=store, boot=boot_of(settings.device))


def says(monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Have the slot that runs say which security version it has."""
    monkeypatch.setattr(module, "security_version_of", lambda: number)


def test_a_device_from_the_factory_has_the_floor_of_its_slot(
    device: Scratch, keeper: FloorKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, 5)

    assert keeper.settle(COMMITTED) == "rootfs-image 5"

    assert keeper.store.floor == FIVE
    assert [each["ota_floor"] for each in device.copies()] == ["rootfs-image::5"] * 2
    before = (device.folder / "environment").read_bytes()
    says(monkeypatch, 9)
    keeper.settle(COMMITTED)
    assert keeper.known() == FIVE
    assert (device.folder / "environment").read_bytes() == before


@pytest.mark.parametrize("is_trial", [True, None])
def test_what_runs_on_trial_raises_nothing(
    keeper: FloorKeeper, monkeypatch: pytest.MonkeyPatch, *, is_trial: bool | None
) -> None:
    says(monkeypatch, 5)

    assert keeper.settle(Running(slot="A", is_trial=is_trial)) == ""

    assert keeper.known() == Floor()


def test_an_update_that_an_older_agent_has_begun_raises_the_floor(
    device: Scratch, keeper: FloorKeeper
) -> None:
    provides = {"rootfs-image.security_version": "5"}

    assert keeper.commit(Artifact(name="v2", types=("rootfs-image",), provides=provides)) == FIVE

    assert device.environment["ota_floor"] == "rootfs-image::5"
    assert device.environment["ota_good_b"] == "0"


@pytest.mark.parametrize("number", ["9", "nine"])
def test_an_artifact_without_a_root_filesystem_does_not_move_its_floor(
    keeper: FloorKeeper, number: str
) -> None:
    keeper.store.save_floor(FIVE)
    provides = {"rootfs-image.security_version": number}

    assert keeper.commit(Artifact(name="v2", types=("script",), provides=provides)) == FIVE


def test_without_an_environment_the_memory_has_the_floor(
    device: Scratch, keeper: FloorKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    (device.folder / "environment").write_bytes(bytes(0x10000))
    provides = {"rootfs-image.security_version": "5"}

    floor = keeper.commit(Artifact(name="v2", types=("rootfs-image",), provides=provides))

    keeper.store.save_floor(floor)
    assert keeper.known() == FIVE
    assert "the floor is not in the bootloader's environment: " in caplog.text
    assert keeper.settle(COMMITTED) == "rootfs-image 5"


def test_a_device_without_slots_has_a_floor_too(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "state.db")) as store:
        keeper = FloorKeeper(settings=Settings(), store=store, boot=None)
        provides = {"rootfs-image.app.security_version": "2"}

        store.save_floor(keeper.commit(Artifact(name="v2", types=("app",), provides=provides)))

    with closing(Store(tmp_path / "state.db")) as store:
        assert dataclasses.replace(keeper, store=store).settle(Running()) == "rootfs-image.app 2"
