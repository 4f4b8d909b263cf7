# SPDX-License-Identifier: Apache-2.0
"""Streams that are read once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.errors import ArtifactError
from ota_artifact.stream import CHUNK, Chunks, Source
from tests.golden.cases import Pipe


def test_exactly_gathers_short_reads() -> None:
    source = Source(Pipe(b"abcdefgh", longest=3), "stream")

    assert source.exactly(7, "x") == b"abcdefg"
    assert source.offset == 7
    assert source.exactly(0, "x") == b""


def test_stream_that_ends_early_says_where_and_in_what() -> None:
    source = Source(Pipe(b"abc"), "image.mender")

    with pytest.raises(ArtifactError, match=r"image\.mender: ends at byte 3 inside a name, 4 B ea"):
        source.exactly(7, "a name")


def test_chunks_are_bounded_and_end_after_their_size() -> None:
    source = Source(Pipe(bytes(CHUNK + 10)), "stream")

    sizes = [len(chunk) for chunk in source.chunks(CHUNK + 3, "x")]

    assert sizes == [CHUNK, 3]
    assert source.some(100) == bytes(7)
    with pytest.raises(ArtifactError, match="1 B early"):
        list(source.chunks(1, "x"))


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30), min_size=1))
def test_pieces_read_as_one_stream(pieces: list[bytes], sizes: list[int]) -> None:
    stream = Chunks(iter(pieces))
    read = b""
    at = 0

    while data := stream.read(sizes[at % len(sizes)]):
        assert len(data) <= sizes[at % len(sizes)]
        read += data
        at += 1

    assert read == b"".join(pieces)
    assert stream.read(1) == b""


def test_whole_piece_is_passed_on_without_a_copy() -> None:
    piece = bytes(1000)

    assert Chunks(iter((piece,))).read(1000) is piece


class Disk(Pipe):
    """A stream that can skip."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.skipped: list[int] = []
        self.rest = data

    def skip(self, size: int, /) -> None:
        self.skipped.append(size)
        self.rest = self.rest[size:]

    def read(self, size: int, /) -> bytes:
        data, self.rest = self.rest[:size], self.rest[size:]
        return data


def test_what_can_skip_is_not_read() -> None:
    disk = Disk(b"abcdefgh")
    source = Source(disk, "x")

    source.skip(5, "letters")

    assert (source.exactly(3, "x"), source.offset, disk.skipped) == (b"fgh", 8, [5])


def test_what_cannot_skip_is_read_over() -> None:
    source = Source(Pipe(b"abcdefgh", longest=2), "x")

    source.skip(5, "letters")

    assert (source.exactly(3, "x"), source.offset) == (b"fgh", 8)
    with pytest.raises(ArtifactError, match="x: ends at byte 8 inside letters, 5 B early"):
        source.skip(5, "letters")
