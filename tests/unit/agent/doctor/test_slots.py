# SPDX-License-Identifier: Apache-2.0
"""Hazards of slots and disk; sysfs and mounts as files."""

import dataclasses
import os
from pathlib import Path

import pytest

from ota_agent.config.settings import Settings
from ota_agent.device.options import DeviceOptions
from ota_agent.doctor.case import Case, open_case
from ota_agent.doctor.slots import probe
from ota_agent.doctor.system import System, mount_of, parse_mounts
from ota_artifact.layout import to_json
from ota_board.load import load_board
from tests.house.tree import ROOT
from tests.unit.agent.doctor.patient import patient


def case(folder: Path, board: str, changes: dict[str, tuple[int, int]] | None = None) -> Case:
    """A board's disk in sysfs, with other offsets and sizes [B] of some partitions."""
    layout = load_board(ROOT / "boards" / board).layout
    (folder / "layout.json").write_text(to_json(layout))
    blocks = folder / "sys" / "class" / "block"
    sizes = {Path(layout.device).name: (0, layout.size)}
    for area in layout.partitions:
        sizes[Path(layout.node(area.name)).name] = (area.offset, area.size)
    for name, (offset, size) in (sizes | (changes or {})).items():
        (blocks / name).mkdir(parents=True)
        (blocks / name / "start").write_text(f"{offset // 512}\n")
        (blocks / name / "size").write_text(f"{size // 512}\n")
    settings = Settings(device=DeviceOptions(layout=folder / "layout.json"))
    system = System(proc=folder / "proc", sys=folder / "sys", root=folder)
    return dataclasses.replace(open_case(settings, system), slots=None, faults=())


def hazards(found: Case) -> dict[str, str]:
    return {each.hazard: each.place for each in probe(found) if each.hazard != "no-slots"}


@pytest.mark.parametrize("board", ["qemu-arm64", "qemu-x86-64", "beaglebone-black"])
def test_a_disk_that_is_as_the_layout_says_has_no_hazard(tmp_path: Path, board: str) -> None:
    assert hazards(case(tmp_path, board)) == {}


def test_a_data_partition_that_has_grown_is_as_it_should_be(tmp_path: Path) -> None:
    grown = {"mmcblk0p4": (335544320, 1 << 30), "mmcblk0": (0, 335544320 + (1 << 30))}

    assert hazards(case(tmp_path, "qemu-arm64", grown)) == {}


def test_a_card_that_is_larger_than_what_is_used_is_a_warning(tmp_path: Path) -> None:
    found = case(tmp_path, "qemu-arm64", {"mmcblk0": (0, 1 << 30)})

    assert hazards(found) == {"data-not-grown": "/dev/mmcblk0, data"}


@pytest.mark.parametrize(
    "change", [{"mmcblk0p3": (201326592, 64 << 20)}, {"mmcblk0p3": (193 << 20, 128 << 20)}]
)
def test_a_partition_elsewhere_or_of_another_size_is_an_error(
    tmp_path: Path, change: dict[str, tuple[int, int]]
) -> None:
    assert hazards(case(tmp_path, "qemu-arm64", change)) == {"table-not-layout": "/dev/mmcblk0, B"}


def test_a_disk_of_another_name_is_an_error(tmp_path: Path) -> None:
    found = case(tmp_path, "qemu-arm64")
    (tmp_path / "sys" / "class" / "block" / "mmcblk0").rename(tmp_path / "mmcblk1")

    assert hazards(found) == {"disk-missing": "/dev/mmcblk0"}


def test_a_device_without_a_layout_has_no_slots(tmp_path: Path) -> None:
    settings = Settings(device=DeviceOptions(layout=tmp_path / "none"))

    (found,) = probe(open_case(settings, System(proc=tmp_path, sys=tmp_path, root=tmp_path)))

    assert (found.hazard, found.severity) == ("no-slots", "warning")


def test_slots_of_different_sizes_and_missing_ones_are_errors(tmp_path: Path) -> None:
    device = patient(tmp_path)
    os.truncate(device.device.slot("B"), 2 << 20)
    assert "slot B 2097152 B" in device.hazards()["slots-differ-in-size"].cause

    device.device.slot("B").unlink()
    assert "slot B" in device.hazards()["slot-missing"].place


def test_a_root_that_is_not_a_slot_is_an_error_and_an_overlay_is_named(tmp_path: Path) -> None:
    device = patient(tmp_path)
    device.configure('running = "A"', 'running = ""')
    assert "is neither slot A" in device.hazards()["root-not-from-slot"].cause

    device.mounted(("0:30", "/", "rw", "overlay"))
    assert "/ is an overlay" in device.hazards()["root-not-from-slot"].remedy


def test_a_damaged_layout_is_an_error(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.folder / "layout.json").write_text("{")

    assert device.hazards()["layout-damaged"].severity == "error"


def test_mounts_are_read_as_the_kernel_writes_them() -> None:
    text = (
        "22 1 179:2 / / ro,relatime shared:1 - ext4 /dev/root ro\n"
        "23 22 0:21 / /proc rw - proc proc rw\n"
        "24 22 179:4 /a /data\\040x rw,nosuid - ext4 /dev/mmcblk0p4 rw,errors=remount-ro\n"
        "damaged\n"
    )

    root, _, data = parse_mounts(text)

    assert (root.device, root.kind, data.point) == ("179:2", "ext4", "/data x")
    assert {"nosuid", "errors=remount-ro"} <= data.options
    assert mount_of(Path("/data x/ota"), (root, data)) == data
    assert mount_of(Path("/data y"), (root, data)) == root
