# SPDX-License-Identifier: Apache-2.0
"""Where U-Boot puts a slot's files in memory."""

import struct

import pytest

from ota_artifact.memory import KERNEL, Needs, meta_data_of, needs_in, overlaps, regions, room
from ota_board.load import board_folders, find_board, load_board
from ota_board.u_boot import compiled_environment, default_environment
from ota_image.hardware.memory import kernel_size, needs_of

MIB = 1 << 20
ADDRESSES = {
    "kernel_addr_r": "0x200000",
    "ota_scratch": "0x2300000",
    "scriptaddr": "0x2400000",
    "fdt_addr_r": "0x2600000",
    "ramdisk_addr_r": "0x2700000",
    "kernel_comp_addr_r": "0xa000000",
    "kernel_comp_size": "0x4000000",
}
"""Those of raspberrypi3 before there was a check."""


def arm64(size: int) -> bytes:
    """A kernel that takes that much memory [B]. Source: Linux, booting.rst."""
    return struct.pack("<QQQQ", 0, 0, size, 0xA) + bytes(24) + b"ARM\x64" + bytes(4)


def pairs(size: int) -> list[tuple[str, str]]:
    found = regions(ADDRESSES, needs_of(arm64(size), arm64(size), trees=[40_000], initrd=2 * MIB))
    return [(first.name, second.name) for first, second in overlaps(found)]


def test_a_kernel_takes_what_its_header_says_and_at_least_its_file() -> None:
    assert kernel_size(arm64(0x2500000), 37_732_288) == 0x2500000
    assert kernel_size(arm64(0), 1000) == 1000
    assert kernel_size(b"zImage", 5 * MIB) == 5 * MIB


@pytest.mark.parametrize(
    ("size", "found"),
    [
        (0x2010000, []),  # Debian 12's
        (0x2400000, []),
        (0x2400001, [(KERNEL, "device tree")]),
        (0x2500000, [(KERNEL, "device tree")]),  # Debian 13's
        (0x2500001, [(KERNEL, "device tree"), (KERNEL, "initrd")]),
    ],
)
def test_a_kernel_that_grows_into_what_is_above_it_is_found(
    size: int, found: list[tuple[str, str]]
) -> None:
    assert pairs(size) == found


def test_a_packed_kernel_needs_the_room_that_it_is_unpacked_to() -> None:
    near = ADDRESSES | {"ramdisk_addr_r": "0x9f00000"}

    found = regions(near, Needs(kernel=0x2010000, unpacked=0x2010000, initrd=2 * MIB))

    assert [each.name for pair in overlaps(found) for each in pair] == [
        "initrd",
        "kernel as it is unpacked",
    ]


@pytest.mark.parametrize("value", ["", "none", "0"])
def test_an_address_that_is_not_known_is_left_out(value: str) -> None:
    found = regions({"kernel_addr_r": value}, Needs(kernel=MIB, device_tree=1, initrd=1))

    assert found == ()
    assert room(found) is None


@pytest.mark.parametrize(
    ("name", "size"),
    [("raspberrypi3", 96), ("beaglebone-black", 94), ("qemu-arm", 90), ("qemu-arm64", 96)],
)
def test_the_boards_have_room_for_kernels_of_many_years(name: str, size: int) -> None:
    folder = find_board(name, list(board_folders()))
    variables = compiled_environment(default_environment(load_board(folder), folder))
    needs = Needs(kernel=size * MIB, device_tree=100_000, initrd=32 * MIB)

    found = regions(variables, needs)

    assert list(overlaps(found)) == []
    assert (room(found) or 0) >= size * MIB


def test_an_artifact_says_what_its_slot_needs() -> None:
    needs = Needs(kernel=0x2500000, unpacked=0x2400000, device_tree=30_000, initrd=MIB)

    assert needs_in(meta_data_of(needs)) == needs


@pytest.mark.parametrize(
    "meta_data",
    [
        b"",
        b"{}",
        b"[]",
        b"not JSON",
        b"[" * 9999,
        b'{"memory": 7}',
        b'{"memory": {"kernel": 1}}',
        b'{"memory": {"kernel": "1", "unpacked": 0, "device_tree": 0, "initrd": 0}}',
        b'{"memory": {"kernel": -1, "unpacked": 0, "device_tree": 0, "initrd": 0}}',
    ],
)
def test_meta_data_of_others_say_nothing(meta_data: bytes) -> None:
    assert needs_in(meta_data) is None
