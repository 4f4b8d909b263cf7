# SPDX-License-Identifier: Apache-2.0
"""Decompression: any members, any chunks, bounded output, and a new start at each boundary."""

import gzip
import lzma
import random
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.compression import Codec, Decompressor, Restart
from ota_artifact.errors import ArtifactError, UnsupportedFeature
from tests.golden.draft import squeeze

PACKED = (Codec.GZIP, Codec.XZ, Codec.ZSTD)
SKIPPABLE = b"\x5f\x2a\x4d\x18\x05\0\0\0aside"


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def unpacked(codec: Codec, data: bytes, size: int = 1 << 16) -> bytes:
    return b"".join(Decompressor(codec, "x").run(cut(data, size)))


def members(codec: Codec, parts: list[bytes]) -> bytes:
    return b"".join(squeeze(part, codec.value) for part in parts)


@pytest.fixture(params=["isal", "zlib"])
def gunzip(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """gzip is read with the fast library, and if that is missing, with Python's own."""
    name: str = request.param
    if name == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    else:
        pytest.importorskip("isal")
    return name


@pytest.mark.parametrize("codec", PACKED)
@settings(deadline=None, max_examples=30)
@given(parts=st.lists(st.binary(max_size=2000), min_size=1, max_size=5), size=st.integers(1, 3000))
def test_any_members_in_any_chunks_are_one_stream(
    codec: Codec, parts: list[bytes], size: int
) -> None:
    assert unpacked(codec, members(codec, parts), size) == b"".join(parts)


def test_uncompressed_bytes_pass_as_they_are() -> None:
    chunks = [b"a", b"bc"]

    decompressor = Decompressor(Codec.NONE, "x")

    assert list(decompressor.run(iter(chunks))) == chunks


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
def test_gzip_members_are_read_with_either_library(gunzip: str, size: int) -> None:
    parts = [b"a", b"", random.Random(1).randbytes(5000), bytes(300_000), b""]
    named = b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff\x02\0ab" + b"name\0" + b"comment\0"
    body = zlib.compress(b"extra", wbits=-15)
    tail = zlib.crc32(b"extra").to_bytes(4, "little") + (5).to_bytes(4, "little")

    data = members(Codec.GZIP, parts) + named + body + tail

    assert unpacked(Codec.GZIP, data, size) == b"".join(parts) + b"extra"


@pytest.mark.parametrize("at", [0, 2, 3, -8, -5, -4, -1, 40])
def test_damaged_gzip_is_refused_with_either_library(gunzip: str, at: int) -> None:
    data = bytearray(gzip.compress(random.Random(1).randbytes(100), mtime=0))
    data[at] ^= 0x20

    with pytest.raises(ArtifactError, match=r"^x: (damaged data|ends after)"):
        unpacked(Codec.GZIP, bytes(data))


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_truncated_stream_is_refused_wherever_it_ends(codec: Codec, size: int) -> None:
    one = squeeze(b"content" * 100, codec.value)
    whole = one + squeeze(b"more", codec.value)

    ends = [end for end in range(len(whole)) if end != len(one)]
    for end in ends:
        with pytest.raises(ArtifactError, match="truncated"):
            unpacked(codec, whole[:end], size)

    assert unpacked(codec, one, size) == b"content" * 100


def test_gzip_header_without_end_is_refused() -> None:
    endless = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (1 << 17)

    for size in (1000, 1 << 18):
        with pytest.raises(ArtifactError, match="a gzip header without end"):
            unpacked(Codec.GZIP, endless, size)


def test_truncated_gzip_is_refused_with_either_library(gunzip: str) -> None:
    whole = gzip.compress(bytes(1 << 19) + b"x" * 1000)

    for end in range(len(whole)):
        with pytest.raises(ArtifactError, match="truncated"):
            unpacked(Codec.GZIP, whole[:end])


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("tail", [b"\0" * 64, b"garbage behind the end", b"\x1f\x8b\x08\xff" * 9])
def test_bytes_after_the_last_member_are_refused(codec: Codec, tail: bytes) -> None:
    whole = squeeze(b"content", codec.value)

    with pytest.raises(ArtifactError, match=r"damaged|truncated|larger than"):
        unpacked(codec, whole + tail)

    assert unpacked(codec, whole) == b"content"


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("size", [1, 100, 1 << 18])
def test_reading_can_start_again_at_each_boundary(codec: Codec, size: int) -> None:
    number = random.Random(5)
    parts = [number.randbytes(3000), bytes(400_000), b"", b"tail"]
    if size == 1:
        parts = [part[:2000] for part in parts]
    data, plain = members(codec, parts), b"".join(parts)
    if codec is Codec.ZSTD:
        data = SKIPPABLE + data + SKIPPABLE
    decompressor = Decompressor(codec, "x")
    seen = [decompressor.restart]
    given = 0

    for piece in decompressor.run(cut(data, size)):
        given += len(piece)
        assert decompressor.restart.given <= given
        if decompressor.restart != seen[-1]:
            seen.append(decompressor.restart)
    seen.append(decompressor.restart)

    assert seen[0] == Restart(0, 0)
    assert seen[-1] == Restart(len(data), len(plain))
    assert len({restart.given for restart in seen}) >= 4
    for restart in seen[:-1]:
        assert unpacked(codec, data[restart.read :], size) == plain[restart.given :]


def test_uncompressed_stream_has_a_start_wherever_a_piece_ends() -> None:
    decompressor = Decompressor(Codec.NONE, "x", Restart(500, 500))
    seen = []

    for _ in decompressor.run(cut(bytes(300), 100)):
        seen.append(decompressor.restart.given)

    assert seen == [500, 600, 700]
    assert decompressor.restart == Restart(800, 800)


@pytest.mark.parametrize("codec", PACKED)
def test_pieces_are_bounded_however_much_a_few_bytes_expand_to(codec: Codec) -> None:
    data = squeeze(bytes(20 << 20), codec.value)

    sizes = [len(piece) for piece in Decompressor(codec, "x").run(cut(data, 1 << 20))]

    assert len(data) < 40_000
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= 1 << 18


def rle(size: int) -> bytes:
    """A zstd block of one byte, many times."""
    return (size << 3 | 1 << 1).to_bytes(3, "little") + b"\0"


def test_zstd_blocks_of_one_repeated_byte_are_bounded() -> None:
    last = (1 << 17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    frame = b"\x28\xb5\x2f\xfd\0\x58" + rle(1 << 17) * 200 + last

    sizes = [len(piece) for piece in Decompressor(Codec.ZSTD, "x").run(iter((frame,)))]

    assert sum(sizes) == 201 << 17
    assert max(sizes) == 1 << 17


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"level": 19}, 1 << 20),
        ({"level": 3, "write_checksum": True}, 300_000),
        ({"level": 3, "write_content_size": False}, 300_000),
        ({"level": 1}, 0),
        ({"level": 1}, 100),
    ],
)
def test_zstd_frames_of_any_form_are_read(options: dict[str, int], size: int) -> None:
    plain = (random.Random(2).randbytes(1000) * (size // 1000 + 1))[:size]

    one = zstandard.ZstdCompressor(**options).compress(plain)  # type: ignore[arg-type]
    streamed = zstandard.ZstdCompressor(**options).compressobj()  # type: ignore[arg-type]
    other = streamed.compress(plain) + streamed.flush()

    assert unpacked(Codec.ZSTD, one + other, 1000) == plain + plain


def test_zstd_frame_with_a_dictionary_is_refused() -> None:
    samples: list[bytes | bytearray | memoryview] = [
        f"sample {number} of a dictionary".encode() for number in range(2000)
    ]
    dictionary = zstandard.train_dictionary(1024, samples)
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"sample")

    with pytest.raises(ArtifactError, match="damaged data"):
        unpacked(Codec.ZSTD, data)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x28\xb5\x2f\xfd\0\xf8" + b"\x01\0\0",  # a window of 3.75 TiB
        b"\x28\xb5\x2f\xfd\0\x88" + b"\x01\0\0",  # a window of 128 MiB
        b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\0\0",  # a single segment of 2^64 B
        b"\x28\xb5\x2f\xfd\0\x58" + b"\x07\0\0",  # a block of the reserved kind
        b"\x28\xb5\x2f\xfd\x08\x58" + b"\x01\0\0",  # a reserved bit
        b"\x27\xb5\x2f\xfd\0\x58" + b"\x01\0\0",  # the format before the first release
        b"\x28\xb5\x2f\xfd\x20\x05" + b"\x09\0\0a",  # 5 B are promised, 1 comes
    ],
    ids=["window", "128 MiB", "size", "kind", "bit", "old", "promise"],
)
def test_zstd_frame_that_is_wrong_is_refused(frame: bytes) -> None:
    with pytest.raises(ArtifactError, match="damaged data"):
        unpacked(Codec.ZSTD, frame)


def test_zstd_window_of_64_mib_is_read() -> None:
    frame = b"\x28\xb5\x2f\xfd\0\x80" + b"\x09\0\0a"

    assert unpacked(Codec.ZSTD, frame) == b"a"


def test_zstd_block_larger_than_the_format_allows_is_refused() -> None:
    block = (((1 << 17) + 1) << 3 | 1).to_bytes(3, "little")

    with pytest.raises(ArtifactError, match="larger than the format allows"):
        unpacked(Codec.ZSTD, b"\x28\xb5\x2f\xfd\0\x58" + block + bytes(1 << 18))


def _xz(dictionary: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": dictionary}]
    return lzma.compress(b"content", check=lzma.CHECK_CRC64, filters=filters)


@pytest.mark.boot  # the compressor itself takes much memory
def test_xz_dictionary_of_the_strongest_level_is_read_and_a_larger_one_refused() -> None:
    usual, large = _xz(64 << 20), _xz(256 << 20)

    assert unpacked(Codec.XZ, usual) == b"content"
    with pytest.raises(ArtifactError, match=r"damaged data .*[Mm]emory"):
        unpacked(Codec.XZ, large)


def test_zstd_without_its_package_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(UnsupportedFeature, match="x: is zstd, and the Python package 'zstandard'"):
        unpacked(Codec.ZSTD, b"")


@pytest.mark.parametrize("codec", PACKED)
def test_empty_stream_is_refused(codec: Codec) -> None:
    with pytest.raises(ArtifactError, match="ends after 0 B inside compressed data"):
        unpacked(codec, b"")


@pytest.mark.parametrize("codec", PACKED)
def test_flood_of_empty_members_is_read_in_time(codec: Codec) -> None:
    flood: Callable[[int], bytes] = lambda count: squeeze(b"", codec.value) * count  # noqa: E731

    assert unpacked(codec, flood(2000) + squeeze(b"end", codec.value)) == b"end"
