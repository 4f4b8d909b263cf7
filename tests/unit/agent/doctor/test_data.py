# SPDX-License-Identifier: Apache-2.0
"""Hazards of what outlives an update."""

from pathlib import Path

import pytest

from ota_agent.device.second_home import DataState
from ota_agent.doctor.data import kept, named, space
from ota_agent.doctor.system import Mount
from ota_agent.memory.runs import Truth
from tests.unit.agent.doctor.patient import patient

RW, RO = frozenset({"rw"}), frozenset({"ro"})
ROOT = Mount(device="179:2", point="/", kind="ext4", options=RO)


@pytest.mark.parametrize(
    ("mount", "hazards"),
    [
        (
            Mount(device="179:4", point="/data", kind="ext4", options=RW),
            [],
        ),
        (
            Mount(device="179:4", point="/data", kind="ext4", options=RO),
            ["data-read-only"],
        ),
        (
            Mount(device="0:30", point="/data", kind="tmpfs", options=RW),
            ["data-in-memory"],
        ),
        (
            Mount(device="179:2", point="/", kind="ext4", options=RW),
            ["data-not-mounted"],
        ),
        (
            Mount(device="179:2", point="/data", kind="ext4", options=RW),
            ["data-not-mounted"],
        ),
    ],
)
def test_what_data_is_mounted_from(mount: Mount, hazards: list[str]) -> None:
    found = kept(Path("/data/ota"), mount, ROOT, DataState())

    assert [each.hazard for each in found] == hazards


@pytest.mark.parametrize(
    ("kind", "options", "state", "hazards"),
    [
        ("ext4", RW, "whole", []),
        ("ext4", RW, "repaired", []),
        ("ext4", RW, "unchecked", ["data-unchecked"]),
        ("ext4", RW, "damaged", ["data-damaged"]),
        ("ext4", RW, "new", ["data-new"]),
        ("ext4", RO, "read-only", ["data-read-only"]),
        ("tmpfs", RW, "memory", ["data-in-memory"]),
    ],
)
def test_what_happened_to_data_at_boot_is_told_with_its_reason(
    kind: str, options: frozenset[str], state: str, hazards: list[str]
) -> None:
    mount = Mount(device="179:4", point="/data", kind=kind, options=options)

    found = list(kept(Path("/data/ota"), mount, ROOT, DataState(state, "is so: e2fsck says it")))

    assert [each.hazard for each in found] == hazards
    assert all("/data is so: e2fsck says it" in each.cause for each in found)


@pytest.mark.parametrize(
    ("free", "severity"), [(1 << 19, ["error"]), (2 << 20, ["warning"]), (32 << 20, [])]
)
def test_how_much_is_free(free: int, severity: list[str]) -> None:
    assert [each.severity for each in space("/data", free, 64 << 20, 1 << 20)] == severity


def test_a_slot_that_runs_and_was_not_committed_is_a_finding() -> None:
    (found,) = named(Truth({"artifact_name": "v1"}, "slot A runs, with v1"))

    assert (found.hazard, found.place) == ("artifact-name-differs", "v1")
    assert list(named(Truth({"artifact_name": "v1"}))) == []


def test_a_memory_that_is_damaged_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    device = patient(tmp_path)
    store = device.folder / "data" / "state.db"
    store.write_bytes(b"no database" * 100)

    assert device.hazards()["state-unreadable"].place == str(store)
    assert store.read_bytes() == b"no database" * 100


def test_a_device_that_was_never_started_has_no_memory_and_no_hazard_of_it(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.folder / "data" / "state.db").unlink()

    assert "state-unreadable" not in device.hazards()
    assert not (device.folder / "data" / "state.db").exists()


@pytest.mark.parametrize("text", ["", "scratch\n"])
def test_a_device_without_a_type_takes_no_artifact(tmp_path: Path, text: str) -> None:
    device = patient(tmp_path)
    (device.folder / "data" / "device_type").write_text(text)

    assert "--device-type" in device.hazards()["device-type-missing"].remedy


def test_a_file_of_the_device_that_is_wrong_is_passed_over_and_named(tmp_path: Path) -> None:
    device = patient(tmp_path)
    local = device.folder / "data" / "agent.toml"
    local.write_text("[server]\ntimeout = 9\n")
    assert "configuration-passed-over" not in device.hazards()

    local.write_text("[server\n")
    assert device.hazards()["configuration-passed-over"].place == str(local)
