# SPDX-License-Identifier: Apache-2.0
"""Compression for writing: one member a part, the same bytes however many cores share the work."""

import gzip
import lzma
import os
import random
import sys
import threading
from collections.abc import Iterator

import pytest
import zstandard

from ota_artifact.compression import Codec, Decompressor
from ota_artifact.compressors import (
    COMPRESSIONS,
    MEMBER,
    OF_CODEC,
    compress,
    compress_whole,
    compression,
)
from ota_artifact.errors import ArtifactError, UnsupportedFeature

NAMES = tuple(COMPRESSIONS)


def parts() -> list[bytes]:
    number = random.Random(3)
    text = b"".join(number.choice((b"one ", b"two ", b"three ")) for _ in range(10_000))
    return [b"header", number.randbytes(30_000), bytes(50_000), text, b"", b"tail"]


def unpacked(codec: Codec, data: bytes) -> bytes:
    return b"".join(Decompressor(codec, "x").run(iter((data,))))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_compressed_is_read(name: str) -> None:
    how = COMPRESSIONS[name]

    data = b"".join(compress(parts(), how))

    assert unpacked(how.codec, data) == b"".join(parts())


@pytest.mark.parametrize("name", NAMES)
def test_bytes_do_not_depend_on_the_number_of_cores(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []

    for cores in (1, 2, 7):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        results.append(list(compress(parts(), COMPRESSIONS[name])))

    assert results[0] == results[1] == results[2]


def test_each_part_is_a_gzip_member_of_its_own() -> None:
    members = list(compress(parts(), COMPRESSIONS["gzip"]))

    assert [gzip.decompress(member) for member in members] == parts()
    assert {member[4:8] for member in members} == {bytes(4)}  # no time


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("zstd")])
def test_each_part_is_a_zstd_frame_of_its_own_that_says_its_size(name: str) -> None:
    members = list(compress(parts(), COMPRESSIONS[name]))

    assert [zstandard.ZstdDecompressor().decompress(member) for member in members] == parts()


def test_small_parts_share_an_xz_stream() -> None:
    (member,) = compress(parts(), COMPRESSIONS["lzma"])

    assert lzma.decompress(member, lzma.FORMAT_XZ) == b"".join(parts())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_small_data_is_one_member(name: str) -> None:
    codec = COMPRESSIONS[name].codec

    data = compress_whole(b"small" * 100, codec)

    assert data == b"".join(compress((b"small" * 100,), OF_CODEC[codec]))
    assert unpacked(codec, data) == b"small" * 100


def test_zeros_are_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import deflate

    done: list[int] = []
    lock = threading.Lock()
    real = deflate.gzip_compress

    def counted(data: bytes, level: int) -> bytearray:
        with lock:
            done.append(len(data))
        return real(data, level)

    monkeypatch.setattr(deflate, "gzip_compress", counted)
    zeros = bytes(MEMBER)

    members = list(
        compress([b"header", *[zeros] * 20, b"x", zeros, zeros[1:]], COMPRESSIONS["gzip"])
    )

    assert sorted(done) == [1, 6, MEMBER - 1, MEMBER]
    assert len(members) == 24
    assert len({members[1], members[20], members[22]}) == 1


def test_few_parts_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"part"

    given = compress(endless(), COMPRESSIONS["gzip"])
    for _ in range(5):
        next(given)
    given.close()  # type: ignore[attr-defined]

    assert taken <= 32


def test_error_of_a_part_comes_out_and_no_thread_stays() -> None:
    def failing() -> Iterator[bytes]:
        yield b"part"
        raise OSError(5, "the disk is gone")

    before = threading.active_count()

    with pytest.raises(OSError, match="the disk is gone"):
        list(compress(failing(), COMPRESSIONS["gzip"]))

    assert threading.active_count() == before


@pytest.mark.parametrize(("name", "package"), [("gzip", "deflate"), ("zstd_fast", "zstandard")])
def test_missing_package_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UnsupportedFeature, match=f"'{package}', which is not installed"):
        list(compress((b"x",), COMPRESSIONS[name]))


def test_what_the_standard_library_compresses_needs_no_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ("deflate", "zstandard", "isal"):
        monkeypatch.setitem(sys.modules, package, None)

    for name in ("none", "lzma"):
        assert b"".join(compress((b"x",), COMPRESSIONS[name]))


@pytest.mark.parametrize(
    ("wanted", "name"), [("gzip", "gzip"), ("xz", "lzma"), ("zstd", "zstd_fast"), ("none", "none")]
)
def test_compression_is_found_by_name(wanted: str, name: str) -> None:
    assert compression(wanted).name == name


def test_unknown_compression_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ArtifactError, match="--compression: 'bzip2' is not one of none, gzip"):
        compression("bzip2")
