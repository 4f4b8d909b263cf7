# SPDX-License-Identifier: Apache-2.0
"""How each board is started in QEMU."""

import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest

from ota_board.board import Board, Watchdog
from ota_board.errors import BoardError
from ota_board.load import load_board
from ota_board.qemu import arguments, value_of
from tests.house.tree import ROOT

DISK, U_BOOT = Path("disk.sdimg"), Path("u-boot.bin")


def board(name: str) -> Board:
    return load_board(ROOT / "boards" / name)


def options(words: list[str]) -> set[tuple[str, str]]:
    """Each option with the word after it."""
    return set(pairwise(words))


def test_a_card_behind_a_pci_controller_is_the_first_mmc() -> None:
    words = arguments(board("qemu-arm64"), DISK, U_BOOT)

    assert words[0] == "qemu-system-aarch64"
    assert {
        ("-machine", "virt"),
        ("-cpu", "cortex-a53"),
        ("-m", "512"),
        ("-bios", "u-boot.bin"),
        ("-drive", "if=none,id=disk,format=raw,file=disk.sdimg"),
        ("-device", "sdhci-pci"),
        ("-device", "sd-card,drive=disk"),
        ("-netdev", "user,id=net"),
        ("-device", "virtio-net-pci,romfile=,netdev=net"),
    } <= options(words)


def test_the_raspberry_pi_has_its_own_card_and_its_console_second() -> None:
    words = arguments(board("raspberrypi3"), DISK, U_BOOT)

    assert {
        ("-kernel", "u-boot.bin"),
        ("-drive", "if=sd,format=raw,file=disk.sdimg"),
        ("-serial", "null"),
        ("-device", "usb-net,netdev=net"),
    } <= options(words)


def test_uefi_has_its_variables_on_a_chip_that_forgets_writes() -> None:
    words = arguments(board("qemu-x86-64"), DISK, Path("/fw/OVMF_CODE_4M.fd"))

    assert words[0] == "qemu-system-x86_64"
    assert {
        ("-machine", "q35"),
        ("-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/fw/OVMF_CODE_4M.fd"),
        ("-drive", "if=pflash,format=raw,unit=1,snapshot=on,file=/fw/OVMF_VARS_4M.fd"),
        ("-drive", "if=virtio,format=raw,file=disk.sdimg"),
    } <= options(words)


def test_ssh_is_reached_from_this_machine_alone() -> None:
    words = arguments(board("qemu-arm64"), DISK, U_BOOT, ssh_port=8022)

    assert ("-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:8022-:22") in options(words)


def test_a_watchdog_is_there_if_the_board_has_one_and_resets_the_machine() -> None:
    with_one = board("qemu-arm64")
    without = dataclasses.replace(
        with_one, watchdog=Watchdog(driver="", armed_by="nobody", timeout=0)
    )

    wanted = {("-device", "i6300esb"), ("-action", "watchdog=reset")}

    assert wanted <= options(arguments(with_one, DISK, U_BOOT))
    assert not wanted & options(arguments(without, DISK, U_BOOT))


def test_a_board_without_a_machine_in_qemu_is_refused() -> None:
    with pytest.raises(BoardError, match="beaglebone-black: QEMU has no such machine"):
        arguments(board("beaglebone-black"), DISK, U_BOOT)


@pytest.mark.parametrize("name", ["qemu-arm64", "raspberrypi3", "qemu-x86-64"])
def test_a_name_with_commas_is_one_file(name: str) -> None:
    words = " ".join(arguments(board(name), Path("/a,b/disk.sdimg"), Path("/c,d/OVMF_CODE.fd")))

    assert "file=/a,,b/disk.sdimg" in words
    assert words.count("c,,d") == words.count("pflash")  # -bios and -kernel take a word as it is


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a:b", "./a:b"),
        ("json:{}", "./json:{}"),
        ("a:b,c/d", "./a:b,,c/d"),
        ("/a:b", "/a:b"),
        ("a/b:c", "a/b:c"),
        ("a b'\"%$é", "a b'\"%$é"),
    ],
)
def test_a_name_is_never_the_protocol_of_a_network_disk(path: str, value: str) -> None:
    assert value_of(Path(path)) == value
