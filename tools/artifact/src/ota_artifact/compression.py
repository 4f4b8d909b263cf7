# SPDX-License-Identifier: Apache-2.0
"""How the tars in an artifact are compressed, and how to decompress them from a stream.

gzip and zstd payloads may be many members (frames) in a row; a `Decompressor` reads them as one
stream and tells where decompression can restart (`Restart`).
"""

import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ota_artifact.errors import ArtifactError, UnsupportedFeature
from ota_artifact.stream import CHUNK, Chunks, Source

MEMORY_LIMIT = 96 << 20
"""How much a decompressor may use [B]: enough for ``xz -9`` (65 MiB), the largest common window."""

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_HEADER_LIMIT = 1 << 16  # [B] with a name and a comment

_FEED = 1 << 15  # [B] of input at once: limits what a flood of empty members can cost

_Pieces = Iterator[tuple[bytes, int | None]]
# Output, and, if a member ends right there, how much input was read by then [B].


class Codec(Enum):
    """How a tar is compressed; the value is the suffix of its name."""

    NONE = ""
    GZIP = ".gz"
    XZ = ".xz"
    ZSTD = ".zst"


@dataclass(frozen=True, slots=True)
class Restart:
    """Where decompression can restart: at a member boundary.

    Attributes:
        read: compressed bytes before it [B].
        given: decompressed bytes before it [B].
    """

    read: int = 0
    given: int = 0


class Decompressor:
    """Decompresses a stream of chunks in bounded pieces.

    Attributes:
        restart: the last member boundary; all that is before it has been given. Uncompressed data
            has one at the end of each piece.

    Args:
        start: where the stream begins, if it is not the start.
    """

    def __init__(self, codec: Codec, name: str, start: Restart = Restart()) -> None:
        self._codec = codec
        self._name = name
        self._start = start
        self.restart = start

    def run(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The decompressed bytes, at most 256 KiB a piece; reads ``chunks`` to their end.

        Raises:
            ArtifactError: the data is damaged, truncated, or needs too much memory.
            UnsupportedFeature: zstd, and the package ``zstandard`` is not installed.
        """
        pieces: _Pieces
        match self._codec:
            case Codec.NONE:
                pieces = _plain(chunks)
            case Codec.GZIP:
                pieces = _gzip(chunks, self._name)
            case Codec.XZ:
                pieces = _xz(chunks, self._name)
            case Codec.ZSTD:
                pieces = _zstd(chunks, self._name)
        given = self._start.given
        for piece, boundary in pieces:
            given += len(piece)
            if piece:
                yield piece
            if boundary is not None:
                self.restart = Restart(self._start.read + boundary, given)


def _damaged(name: str, read: int, error: object) -> ArtifactError:
    return ArtifactError(
        f"{name}: damaged data before byte {read}: {error}; fetch or write it again"
    )


def _truncated(name: str, read: int) -> ArtifactError:
    return ArtifactError(
        f"{name}: ends after {read} B inside compressed data; it is truncated;"
        " fetch or write it again"
    )


def _plain(chunks: Iterator[bytes]) -> _Pieces:
    read = 0
    for chunk in chunks:
        read += len(chunk)
        yield chunk, read


def _gzip(chunks: Iterator[bytes], name: str) -> _Pieces:
    module: Any = zlib
    try:  # isal reads gzip about twice as fast; on a device, Python's own zlib is enough
        from isal import isal_zlib

        module = isal_zlib
    except ImportError:
        pass
    member = None
    header = b""
    read = 0
    for data in _fed(chunks):
        read += len(data)
        data = header + data
        header = b""
        more = True
        while more:
            if member is None:
                if not _has_gzip_header(data, name, read):
                    header = data
                    break
                member = module.decompressobj(31)
            try:
                piece = member.decompress(data, CHUNK)
            except module.error as error:
                raise _damaged(name, read, error) from error
            if member.eof:
                data = member.unused_data
                yield piece, read - len(data)
                member, more = None, bool(data)
            else:
                data = member.unconsumed_tail
                yield piece, None
                more = bool(data) or len(piece) == CHUNK
    if member or header or not read:
        raise _truncated(name, read)


def _has_gzip_header(data: bytes, name: str, read: int) -> bool:
    """Whether the header of a member is complete: isal misreads one that comes in two parts.

    Source: RFC 1952, section 2.3.
    """
    if not _GZIP_MAGIC.startswith(data[:3]) or data[3:4] > b"\x1f":
        raise _damaged(name, read, "no gzip header")
    if len(data) > _GZIP_HEADER_LIMIT and not _gzip_header_size(data[:_GZIP_HEADER_LIMIT]):
        raise _damaged(name, read, "a gzip header without end")
    return _gzip_header_size(data) > 0


def _gzip_header_size(data: bytes) -> int:
    """How long the header is [B]; 0 if it is incomplete."""
    if len(data) < 12:  # 10, and no body is shorter than 2
        return 0
    flags, size = data[3], 10
    if flags & 4:  # FEXTRA
        size += 2 + int.from_bytes(data[10:12], "little")
    for flag in (8, 16):  # FNAME, FCOMMENT
        if flags & flag:
            size = data.find(b"\0", size) + 1 or len(data) + 1
    if flags & 2:  # FHCRC
        size += 2
    return size if size <= len(data) else 0


def _xz(chunks: Iterator[bytes], name: str) -> _Pieces:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)
    read, begun = 0, False
    for data in _fed(chunks):
        read += len(data)
        begun = True
        while data or (begun and not stream.needs_input):
            try:
                piece = stream.decompress(data, CHUNK)
            except (lzma.LZMAError, MemoryError) as error:
                raise _damaged(name, read, error) from error
            if stream.eof:
                data = stream.unused_data
                yield piece, read - len(data)
                stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)
                begun = bool(data)
            else:
                data = b""
                yield piece, None
    if begun or not read:
        raise _truncated(name, read)


def _zstd(chunks: Iterator[bytes], name: str) -> _Pieces:
    # The library gives all output of its input at once, so a bomb would fill the memory. Feed it
    # block by block: a block never has more than 128 KiB.
    # Source: RFC 8878, sections 3.1.1 (frames) and 3.1.1.2 (blocks).
    try:
        import zstandard
    except ImportError as error:
        raise UnsupportedFeature(
            f"{name}: is zstd, and the Python package 'zstandard' is not installed; install it"
        ) from error
    library = zstandard.ZstdDecompressor(max_window_size=MEMORY_LIMIT)
    source = Source(Chunks(chunks), name)
    while magic := source.some(4):
        magic += source.exactly(4 - len(magic), "a zstd frame")
        if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:  # skippable
            size = int.from_bytes(source.exactly(4, "a zstd frame"), "little")
            for _ in source.chunks(size, "a skippable zstd frame"):
                pass
        else:
            frame = library.decompressobj()
            for part in _zstd_parts(magic, source):
                try:
                    piece = frame.decompress(part)
                except (zstandard.ZstdError, MemoryError) as error:
                    raise _damaged(name, source.offset, error) from error
                yield piece, None
            if not frame.eof:
                raise _damaged(name, source.offset, "a zstd frame does not end where it says")
        yield b"", source.offset
    if not source.offset:
        raise _truncated(name, 0)


def _zstd_parts(magic: bytes, source: Source) -> Iterator[bytes]:
    """One frame, cut before each block: decompressing one part gives 128 KiB at most."""
    descriptor = source.exactly(1, "a zstd frame")[0]
    single_segment, has_checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    content_size = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    dictionary_id = (0, 1, 2, 4)[descriptor & 3]
    rest = (1 - single_segment) + dictionary_id + content_size
    yield magic + bytes((descriptor,)) + source.exactly(rest, "a zstd frame header")
    last = False
    while not last:
        header = source.exactly(3, "a zstd block header")
        value = int.from_bytes(header, "little")
        last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
        stored = 1 if kind == 1 else size  # a run of one byte stores that byte
        if size > 1 << 17:
            raise ArtifactError(f"a zstd block of {size} B is larger than the format allows")
        yield header + source.exactly(stored, "a zstd block")
    if has_checksum:
        yield source.exactly(4, "a zstd checksum")


def _fed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if len(chunk) <= _FEED:
            yield chunk
        else:
            for start in range(0, len(chunk), _FEED):
                yield chunk[start : start + _FEED]
