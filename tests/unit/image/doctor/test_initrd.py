# SPDX-License-Identifier: Apache-2.0
"""Which modules an initrd has, and files that only look alike."""

import gzip
import lzma
from collections.abc import Callable

import pytest

from ota_image.doctor.initrd import module_names
from tests.unit.image.doctor.good import cpio

FIRST, SECOND = cpio(("init", "lib/sdhci-omap.ko.xz")), cpio(("lib/ext4.ko",))
HEAD = b"070701" + b"0" * 104


def field(size: bytes, name_size: bytes = b"00000002") -> bytes:
    """A member with these two fields. Source: Linux, buffer-format.rst."""
    return b"070701" + b"0" * 48 + size + b"0" * 32 + name_size + b"0" * 8 + b"a\0"


def nested(depth: int) -> bytes:
    data = FIRST
    for _ in range(depth):
        data = gzip.compress(data, 1, mtime=0)
    return data


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    packed: bytes = zstandard.compress(data)
    return packed


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, zstd])
def test_the_modules_of_all_archives_are_found(pack: Callable[[bytes], bytes]) -> None:
    assert module_names(pack(FIRST)) == {"sdhci_omap"}
    assert module_names(SECOND + bytes(7) + pack(FIRST)) == {"sdhci_omap", "ext4"}


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_an_archive_that_was_appended_is_found_too(pack: Callable[[bytes], bytes]) -> None:
    assert module_names(pack(FIRST) + bytes(8) + pack(SECOND)) == {"sdhci_omap", "ext4"}


@pytest.mark.parametrize(
    "data",
    [
        b"packed somehow",
        FIRST[:-20],
        HEAD,
        gzip.compress(FIRST)[:-20],
        nested(1000),
        field(b"-0000070"),
        field(b"0000000x"),
        field(b"00000000", b"-0000070"),
        field(b"ffffffff"),
        gzip.compress(FIRST, mtime=0) * 1000,
    ],
    ids=range(10),
)
def test_other_files_are_not_known(data: bytes) -> None:
    assert module_names(data) is None


@pytest.mark.boot  # half a GiB is unpacked
@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zstd(data) * 300])
def test_one_that_unpacks_to_more_than_there_is_memory_is_not_known(
    pack: Callable[[bytes], bytes],
) -> None:
    assert module_names(pack(bytes(513 << 20) if pack is gzip.compress else bytes(2 << 20))) is None
