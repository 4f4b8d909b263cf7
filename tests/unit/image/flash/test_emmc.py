# SPDX-License-Identifier: Apache-2.0
"""An eMMC, which is soldered to a board, and which most images are not for."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_image.disk.image import Disk
from ota_image.errors import ImageError
from ota_image.flash.check import require_asked_for_emmc
from ota_image.flash.device import Device, checked_device
from tests.house.tree import ROOT

MIB = 1 << 20
LAYOUT = load_board(ROOT / "boards" / "beaglebone-black").layout
OURS = Disk(path=Path("my.sdimg"), size=LAYOUT.size, table=None, parts=(), layout=LAYOUT)


def system(root: Path, *, name: str, kind: str, boot_areas: bool) -> Path:
    """The entry of a device of 8 MiB in sysfs, as Linux lays it out below its host."""
    entry = root / f"sys/devices/mmc1/mmc1:0001/block/{name}"
    texts = {"dev": "179:8", "size": "16384", "ro": "0", "removable": "0", "device/name": "M"}
    if kind:
        texts["device/type"] = kind
    for path, text in texts.items():
        (entry / path).parent.mkdir(parents=True, exist_ok=True)
        (entry / path).write_text(f"{text}\n")
    if boot_areas:
        (entry / f"{name}boot0").mkdir()
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text("25 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n")
    return entry


@pytest.mark.parametrize(
    ("name", "kind", "boot_areas", "is_emmc"),
    [
        ("mmcblk1", "MMC", True, True),
        ("mmcblk1", "MMC", False, True),
        ("mmcblk0", "", True, True),
        ("mmcblk0", "SD", False, False),
        ("sdb", "", False, False),
    ],
)
def test_an_emmc_is_known_by_its_type_or_its_boot_areas(
    tmp_path: Path, name: str, kind: str, boot_areas: bool, is_emmc: bool
) -> None:
    entry = system(tmp_path, name=name, kind=kind, boot_areas=boot_areas)

    device = checked_device(Path(f"/dev/{name}"), entry, 8 * MIB, root=tmp_path)

    assert device.is_emmc == is_emmc


def emmc(name: str) -> Device:
    return Device(
        path=Path(f"/dev/{name}"),
        size=4096 * MIB,
        sector=512,
        model="MMC04G",
        is_removable=False,
        is_emmc=True,
    )


def test_an_image_is_not_written_to_an_emmc_by_mistake() -> None:
    with pytest.raises(ImageError) as caught:
        require_asked_for_emmc(OURS, emmc("mmcblk1"), is_asked=False)

    assert str(caught.value) == (
        "/dev/mmcblk1: is an eMMC, a part of the board; my.sdimg has its slots on /dev/mmcblk0, and"
        " if that is the card there, U-Boot from the eMMC starts the card's slots, or none; name"
        " the card, or write it to the eMMC with --emmc"
    )


def test_an_image_without_a_layout_is_not_either() -> None:
    disk = replace(OURS, layout=None)

    with pytest.raises(ImageError, match=r"is an eMMC, a part of the board; name the card, or"):
        require_asked_for_emmc(disk, emmc("mmcblk0"), is_asked=False)


def test_it_is_written_if_asked_and_a_card_needs_no_asking() -> None:
    require_asked_for_emmc(OURS, emmc("mmcblk1"), is_asked=True)
    require_asked_for_emmc(OURS, replace(emmc("mmcblk1"), is_emmc=False), is_asked=False)
