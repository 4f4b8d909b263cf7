# SPDX-License-Identifier: Apache-2.0
"""A slot's boot entry, for each bootloader and for each number of device trees."""

from dataclasses import replace

import pytest

from ota_artifact.layout import TableKind
from ota_board.board import Watchdog
from ota_board.cli.main import main
from ota_board.entry import entry, entry_path
from ota_board.load import load_board
from tests.house.tree import ROOT


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("qemu-arm64", None),
        ("beaglebone-black", "  fdt /boot/dtbs/am335x-boneblack.dtb"),
        ("raspberrypi3", "  fdtdir /boot/dtbs"),
    ],
)
def test_the_device_tree_is_named_as_far_as_it_is_known(name: str, line: str | None) -> None:
    lines = entry(load_board(ROOT / "boards" / name), "/boot/Image").splitlines()

    assert [each for each in lines if each.startswith("  fdt")] == ([line] if line else [])
    assert "  kernel /boot/Image" in lines


def test_without_an_initrd_none_is_named() -> None:
    for name in ("qemu-arm64", "qemu-x86-64"):
        board = load_board(ROOT / "boards" / name)

        assert "initrd" not in entry(board, "/boot/Image")
        assert "/boot/initrd.img" in entry(board, "/boot/Image", initrd="/boot/initrd.img")


def test_another_kernel_has_another_name_for_the_console() -> None:
    board = load_board(ROOT / "boards" / "raspberrypi3")

    assert " console=ttyS1,115200 " in entry(board, "/boot/Image")
    assert " console=ttyS0,115200 " in entry(board, "/boot/Image", console="ttyS0")


def test_the_kernel_is_told_to_start_the_watchdog_that_it_would_stop() -> None:
    board = load_board(ROOT / "boards" / "beaglebone-black")
    x86 = load_board(ROOT / "boards" / "qemu-x86-64")
    own = Watchdog(driver="i6300esb", armed_by="kernel", timeout=30, parameter="nowayout=1")

    assert entry(board, "/boot/Image").rstrip().endswith(" omap_wdt.early_enable=1")
    assert " i6300esb.nowayout=1" in entry(replace(x86, watchdog=own), "/boot/vmlinuz")
    assert "." not in entry(x86, "/boot/vmlinuz").split("arguments=")[1]


def test_a_slot_that_does_not_feed_the_watchdog_does_not_have_it_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["entry", str(ROOT / "boards" / "beaglebone-black"), "--kernel", "/boot/zImage"]

    assert main([*words, "--no-watchdog"]) == 0
    assert "omap_wdt" not in capsys.readouterr().out


def test_each_bootloader_looks_in_its_own_place() -> None:
    arm, x86 = (load_board(ROOT / "boards" / name) for name in ("qemu-arm64", "qemu-x86-64"))

    assert entry_path(arm) == "/boot/extlinux/extlinux.conf"
    assert entry_path(x86) == "/boot/grub/ota.env"


@pytest.mark.parametrize(
    ("name", "table"), [("qemu-arm64", "mbr"), ("qemu-arm64", "gpt"), ("qemu-x86-64", "gpt")]
)
def test_linux_reads_the_backup_of_a_gpt_whose_first_copy_is_torn(
    name: str, table: TableKind
) -> None:
    board = load_board(ROOT / "boards" / name)
    board = replace(board, storage=replace(board.storage, table=table))

    (line,) = [each for each in entry(board, "/boot/Image").splitlines() if "panic=10" in each]

    assert ("gpt" in line.split()) == (table == "gpt")
