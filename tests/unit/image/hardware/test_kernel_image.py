# SPDX-License-Identifier: Apache-2.0
"""Kernels, packed and not, and files that only look like one."""

import gzip
import lzma
import struct
import zlib

import pytest

from ota_image.hardware.drivers import drivers_of
from ota_image.hardware.kernel_image import kernel_version, unpacked, version_of

BANNER = b"\0Linux version 6.12.117+deb13-armmp (nobody) "
BOMB = gzip.compress(bytes(8 << 20), 1, mtime=0)
FILTER = b"\x02\x00\x21\x01\x28\x00\x00\x00"  # LZMA2 with a dictionary of 4 GiB
GREEDY = b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46" + FILTER + struct.pack("<I", zlib.crc32(FILTER))


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, mtime=0), lzma.compress])
def test_the_kernel_is_found_behind_what_unpacks_it(pack: "type[bytes]") -> None:
    packed = b"MZ" + bytes(1000) + b"\x1f\x8b\x08 by chance" + pack(BANNER)

    assert version_of(unpacked(packed)) == "6.12.117+deb13-armmp"
    assert kernel_version(packed) == "6.12.117+deb13-armmp"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BOMB,
        BOMB * 100,
        (BOMB[:-8] + b"checksum") * 100,
        b"\x1f\x8b\x08" * 1_000_000,
        b"\xfd7zXZ\0" * 100_000,
        GREEDY + bytes(100),
        b"Linux version 1." + b"1" * 100_000,
        b"Linux version 6.1" + b"x" * 100_000 + b" ",
        b"Linux version 6.1\x1b[2J (nobody) ",
    ],
    ids=range(10),
)
def test_another_file_has_no_version_and_costs_little(data: bytes) -> None:
    assert kernel_version(data) == ""


def test_aliases_that_are_longer_than_a_kernel_has_are_passed_over() -> None:
    aliases = f"alias of:N{'TC' * 10_000}* odd\nalias of:N*T*Cacme,mmc acme_mmc\nalias\n\0\n"

    found = drivers_of("6.1", aliases=aliases, modules=("\0",), builtin=("\x1b",), image=b"")

    assert found.matches == {"acme,mmc": ("acme_mmc",)}


def test_only_what_is_alone_in_its_room_is_a_table_of_the_kernel() -> None:
    image = b"\0acme,uart".ljust(129, b"\0") + b"\0acme,text\0more\0" + b"\0abc" * 100_000

    assert drivers_of("6.1", aliases="", modules=(), builtin=(), image=image).tables == {
        "acme,uart"
    }
