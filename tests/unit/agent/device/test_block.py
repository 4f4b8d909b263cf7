# SPDX-License-Identifier: Apache-2.0
"""Slots and root by any name that a configuration or the kernel's command line has for them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ota_agent.bootloader.find import boot_of
from ota_agent.device.block import node_of, number_of, root_of
from ota_agent.device.options import DeviceOptions
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import AgentError


def sysfs(folder: Path, name: str, **uevent: str) -> Path:
    """A block device as the kernel shows it."""
    device = folder / "sys" / "class" / "block" / name
    device.mkdir(parents=True)
    lines = {"DEVNAME": name, **uevent}
    (device / "uevent").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    return device


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("LABEL=root-a", "by-label/root-a"),
        ('LABEL="root a"', "by-label/root\\x20a"),
        ("UUID=1234-ABCD", "by-uuid/1234-ABCD"),
        ("PARTLABEL=A", "by-partlabel/A"),
        ("PARTUUID=DEAD-02", "by-partuuid/dead-02"),
        ("partuuid=dead-02", "by-partuuid/dead-02"),
    ],
)
def test_a_name_is_the_device_that_udevs_link_leads_to(
    tmp_path: Path, name: str, link: str
) -> None:
    path = tmp_path / "dev" / "disk" / link
    path.parent.mkdir(parents=True)
    path.write_text("")

    assert node_of(name, sys=tmp_path / "sys", disk=tmp_path / "dev" / "disk") == path


@pytest.mark.parametrize(
    "name",
    ["PARTLABEL=A", "PARTUUID=DEAD-02", "{disk}/by-partlabel/A", "{disk}/by-partuuid/dead-02"],
)
def test_before_udev_has_made_its_link_the_kernel_is_asked(tmp_path: Path, name: str) -> None:
    sysfs(tmp_path, "mmcblk0")
    sysfs(tmp_path, "mmcblk0p2", PARTNAME="A", PARTUUID="dead-02", PARTN="2")
    disk = tmp_path / "dev" / "disk"

    found = node_of(name.format(disk=disk), sys=tmp_path / "sys", disk=disk)

    assert found == tmp_path / "dev" / "mmcblk0p2"


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("PARTUUID=none", "no such device, or udev has not made its link yet"),
        ("LABEL=none-of-that-name", "no such device, or udev has not made its link yet"),
        ("/dev/disk/by-partlabel/none", "no such device, or udev has not made its link yet"),
        ("ubi0_0", "is a UBI volume, which the agent cannot write"),
        ("/dev/ubi0_1", "is a UBI volume"),
        ("ubi0:rootfs", "is a UBI volume"),
        ("mmcblk0p2", "is not a device; write its path"),
        ("BOGUS=x", "is not a device; write its path"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_it_is(tmp_path: Path, name: str, finding: str) -> None:
    with pytest.raises(AgentError, match=finding):
        node_of(name, sys=tmp_path)


def test_the_kernel_knows_the_number_of_a_partition(tmp_path: Path) -> None:
    (sysfs(tmp_path, "strange") / "partition").write_text("7\n")

    assert number_of(tmp_path / "strange", sys=tmp_path / "sys") == 7
    assert number_of(tmp_path / "nvme0n1p12", sys=tmp_path / "sys") == 12


def test_a_volume_of_lvm_has_no_number_and_is_told_apart_from_a_bad_name(tmp_path: Path) -> None:
    (sysfs(tmp_path, "dm-0") / "dm").mkdir()
    (tmp_path / "dm-0").write_text("")
    (tmp_path / "vg-rootfs_a").symlink_to(tmp_path / "dm-0")

    with pytest.raises(AgentError, match=r"vg-rootfs_a: is a volume of the device mapper, as LVM"):
        number_of(tmp_path / "vg-rootfs_a", sys=tmp_path / "sys")
    with pytest.raises(AgentError, match="none: is not there; which partition"):
        number_of(tmp_path / "none", sys=tmp_path / "sys")


@pytest.mark.parametrize(
    ("slots", "finding"),
    [
        ({"slot_a": "/dev/sda2"}, r"/dev/sda2 is one slot, and slot_b \(RootfsPartB\) is not set"),
        ({"slot_b": "/dev/sda3"}, r"/dev/sda3 is one slot, and slot_a \(RootfsPartA\) is not set"),
        ({"slot_a": "/dev/sda2", "slot_b": "/dev/sda2"}, "are both /dev/sda2"),
    ],
)
def test_one_slot_is_not_enough(tmp_path: Path, slots: dict[str, Any], finding: str) -> None:
    with pytest.raises(AgentError, match=finding):
        boot_of(replace(DeviceOptions(layout=tmp_path / "none"), **slots))


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("ro root=/dev/mmcblk0p2 quiet\n", "/dev/mmcblk0p2"),
        ("root=/dev/a root=PARTUUID=dead-02", "PARTUUID=dead-02"),
        ("quiet\n", ""),
    ],
)
def test_the_kernel_was_told_what_root_is(tmp_path: Path, text: str, root: str) -> None:
    (tmp_path / "cmdline").write_text(text)

    assert root_of(tmp_path / "cmdline") == root
    assert root_of(tmp_path / "none") == ""


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    for name, minor in (("a", 2), ("b", 3)):
        try:
            os.mknod(tmp_path / name, 0o60600, os.makedev(179, minor))
        except PermissionError as error:
            pytest.skip(f"no device nodes here: {error}")
    return Slots(Slot("A", tmp_path / "a", 2), Slot("B", tmp_path / "b", 3))


@pytest.mark.parametrize("root", ["{folder}/b", "PARTLABEL=B", "179:3"])
def test_under_an_overlay_the_slot_runs_that_the_kernel_was_told(
    tmp_path: Path, slots: Slots, root: str
) -> None:
    (tmp_path / "cmdline").write_text(f"quiet root={root.format(folder=tmp_path)}\n")
    sysfs(tmp_path, "b", PARTNAME="B", DEVNAME=f"{tmp_path}/b")

    # /proc has no device, as an overlay has none
    found = slots.running(Path("/proc"), cmdline=tmp_path / "cmdline", sys=tmp_path / "sys")

    assert found.name == "B"


@pytest.mark.parametrize("root", ["/dev/nfs", "{folder}/none", "PARTUUID=none", "", "ubi0:rootfs"])
def test_under_an_overlay_over_something_else_no_slot_runs(
    tmp_path: Path, slots: Slots, root: str
) -> None:
    (tmp_path / "cmdline").write_text(f"root={root.format(folder=tmp_path)}\n")

    with pytest.raises(AgentError, match="which is neither slot A"):
        slots.running(Path("/proc"), cmdline=tmp_path / "cmdline", sys=tmp_path / "sys")


def test_a_disk_without_a_slot_is_not_taken_for_one_by_the_command_line(
    tmp_path: Path, slots: Slots
) -> None:
    if not os.major(tmp_path.stat().st_dev):
        pytest.skip("the temporary folder is not on a block device")
    (tmp_path / "cmdline").write_text(f"root={tmp_path}/b\n")

    with pytest.raises(AgentError, match="which is neither slot A"):
        slots.running(tmp_path, cmdline=tmp_path / "cmdline", sys=tmp_path / "sys")


def test_under_verity_the_slot_runs_that_the_device_is_made_of(
    tmp_path: Path, slots: Slots
) -> None:
    device = tmp_path.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    below = tmp_path / "sys" / "dev" / "block" / name / "slaves" / "mmcblk0p2"
    below.mkdir(parents=True)
    (below / "dev").write_text("179:2\n")
    (tmp_path / "cmdline").write_text("")

    found = slots.running(tmp_path, cmdline=tmp_path / "cmdline", sys=tmp_path / "sys")

    assert found.name == "A"
