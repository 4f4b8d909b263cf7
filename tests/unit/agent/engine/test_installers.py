# SPDX-License-Identifier: Apache-2.0
"""Which installers an artifact has on a device, in which order, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.file import File
from ota_agent.config.ring import ring_of
from ota_agent.config.settings import Settings
from ota_agent.device.slots import Slot, Slots
from ota_agent.engine.installers import Installers
from ota_agent.errors import AgentError, EnvironmentFault
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.store import Store
from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.checkpoint import Checkpoint, Trail
from ota_agent.payloads.evidence import Evidence
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.provides import ROOTFS


@pytest.fixture
def installers(tmp_path: Path) -> Iterator[Installers]:
    """Those of a device that runs slot A, with one update module."""
    (tmp_path / "modules").mkdir()
    module = tmp_path / "modules" / "app"
    module.write_text("#!/bin/sh\n")
    module.chmod(0o755)
    (tmp_path / "environment").write_text("mender_boot_part=2\nupgrade_available=0\n")
    slots = Slots(Slot("A", tmp_path / "a", 2), Slot("B", tmp_path / "b", 3))
    store = Store(tmp_path / "state.db")
    settings = Settings(
        modules=ModuleOptions(folders=(tmp_path / "modules",), payloads=tmp_path / "payloads")
    )
    yield Installers(
        store=store,
        boot=Boot(slots, lambda: slots.a, File(tmp_path / "environment")),
        device_type="board",
        evidence=Evidence(tmp_path / "artifact", tuple, lambda _: None),
        ring=ring_of(settings, lambda: store.floor),
        settings=settings,
    )
    store.close()


def header(*types: str | None) -> Header:
    payloads = tuple(PayloadHeader(type=each) for each in types)
    return Header(version=3, artifact_name="v2", compatible_types=("board",), payloads=payloads)


def trail(installers: Installers) -> Trail:
    return Trail(
        memory=installers.store,
        origin=Checkpoint(deployment="", source="/v2.mender", manifest="", total=None),
        is_again=False,
        spent=lambda: 0.0,
        tell=lambda event: None,
    )


def has_trees(installers: Installers) -> bool:
    return any(installers.settings.modules.payloads.glob("*"))


def test_each_payload_that_is_not_empty_is_begun(installers: Installers) -> None:
    found = installers.begin(header("app", None, ROOTFS), trail(installers))

    assert {number: each.slot for number, each in found.items()} == {0: "", 2: "B"}
    assert has_trees(installers)


def test_two_root_filesystems_are_refused(installers: Installers) -> None:
    with pytest.raises(
        AgentError, match="v2: contains 2 root filesystems, but there is only one slot"
    ):
        installers.begin(header("app", ROOTFS, ROOTFS), trail(installers))

    assert not has_trees(installers)


def test_a_device_without_slots_says_so(installers: Installers) -> None:
    without = replace(installers, boot=None)

    with pytest.raises(AgentError, match="holds a root filesystem, and this device has no slots"):
        without.begin(header("app", ROOTFS), trail(installers))

    assert not has_trees(installers)


def test_a_slot_that_may_not_be_written_is_refused_before_a_module_begins(
    installers: Installers,
) -> None:
    assert installers.boot is not None
    installers.boot.bootloader.write({"upgrade_available": "1"})

    with pytest.raises(EnvironmentFault, match="is on trial"):
        installers.begin(header("app", ROOTFS), trail(installers))

    assert not has_trees(installers)


def test_a_module_that_is_missing_is_named(installers: Installers) -> None:
    with pytest.raises(AgentError, match="no update module for payloads of type other"):
        installers.begin(header(ROOTFS, "other"), trail(installers))


def test_the_root_filesystem_is_installed_last(installers: Installers) -> None:
    artifact = Artifact(name="v2", types=("app", ROOTFS, None, "app"))

    found = installers.of(Update(source=Address("/v2.mender"), artifact=artifact, target="B"))

    assert [(number, each.slot) for number, each in found] == [(0, ""), (3, ""), (1, "B")]
