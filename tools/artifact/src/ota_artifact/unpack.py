# SPDX-License-Identifier: Apache-2.0
"""Unpacks gzip, xz and zstd in bounded pieces.

A process that does nothing else imports this and needs little memory for it: so it imports only the
library that it unpacks with. `compression` has what everybody else uses.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    Pieces = Iterator[tuple[bytes, int | None]]
    """Output, and, if a member ends right there, how much input was read by then [B]."""

    Unpack = Callable[[Iterator[bytes], str], Pieces]

MEMORY_LIMIT = 96 << 20
"""How much a decompressor may use [B]: enough for ``xz -9`` (65 MiB), the largest common window."""

PIECE = 1 << 18
"""How much is given at once, unless the caller wants it otherwise [B]."""

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_HEADER_LIMIT = 1 << 16  # [B] with a name and a comment

_FEED = 1 << 15  # [B] of input at once: limits what a flood of empty members can cost


class Damaged(Exception):
    """The data is damaged, truncated, or has too large a window; the text is for the user."""


class Unsupported(Exception):
    """The library that it needs is not installed; the text is for the user."""


def unpacker(suffix: str, name: str, most: int = PIECE) -> "Unpack":
    """What unpacks data of this kind; its library is imported now, and nothing later.

    It raises `Damaged`, and MemoryError where memory is limited.

    Args:
        suffix: ``.gz``, ``.xz`` or ``.zst``.
        name: of the data, for the message.
        most: how much gzip and xz give at once [B]; zstd gives up to 128 KiB.

    Raises:
        Unsupported: the library is not installed.
    """
    if suffix == ".gz":
        return _gzip(most)
    if suffix == ".xz":
        return _xz(most)
    return _zstd(name)


def truncated(name: str, offset: int, what: str, missing: int) -> str:
    """The text for a stream that ends ``missing`` bytes [B] early."""
    return (
        f"{name}: ends at byte {offset} inside {what}, {missing} B early;"
        " it is truncated; fetch or write it again"
    )


def _damaged(name: str, read: int, error: object) -> Damaged:
    return Damaged(f"{name}: damaged data before byte {read}: {error}; fetch or write it again")


def _truncated(name: str, read: int) -> Damaged:
    return Damaged(
        f"{name}: ends after {read} B inside compressed data; it is truncated;"
        " fetch or write it again"
    )


def _gzip(most: int) -> "Unpack":
    import zlib

    module: ModuleType = zlib
    try:  # isal reads gzip about twice as fast; on a device, Python's own zlib is enough
        from isal import isal_zlib

        module = isal_zlib
    except ImportError:
        pass

    def run(chunks: "Iterator[bytes]", name: str) -> "Pieces":
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
                    piece = member.decompress(data, most)
                except module.error as error:
                    raise _damaged(name, read, error) from error
                if member.eof:
                    data = member.unused_data
                    yield piece, read - len(data)
                    member, more = None, bool(data)
                else:
                    data = member.unconsumed_tail
                    yield piece, None
                    more = bool(data) or len(piece) == most
        if member or header or not read:
            raise _truncated(name, read)

    return run


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


def _xz(most: int) -> "Unpack":
    import lzma

    def run(chunks: "Iterator[bytes]", name: str) -> "Pieces":
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)
        read, begun = 0, False
        for data in _fed(chunks):
            read += len(data)
            begun = True
            while data or (begun and not stream.needs_input):
                try:
                    piece = stream.decompress(data, most)
                except lzma.LZMAError as error:
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

    return run


def _zstd(name: str) -> "Unpack":
    # The library gives all output of its input at once, so a bomb would fill the memory. Feed it
    # block by block: a block never has more than 128 KiB.
    # Source: RFC 8878, sections 3.1.1 (frames) and 3.1.1.2 (blocks).
    try:
        import zstandard
    except ImportError as error:
        raise Unsupported(
            f"{name}: is zstd, and the Python package 'zstandard' is not installed; install it"
        ) from error

    def run(chunks: "Iterator[bytes]", name: str) -> "Pieces":
        library = zstandard.ZstdDecompressor(max_window_size=MEMORY_LIMIT)
        source = _Source(chunks, name)
        while magic := source.some(4):
            magic += source.exactly(4 - len(magic), "a zstd frame")
            if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:  # skippable
                left = int.from_bytes(source.exactly(4, "a zstd frame"), "little")
                while left:
                    left -= len(source.exactly(min(left, PIECE), "a skippable zstd frame"))
            else:
                frame = library.decompressobj()
                for part in _zstd_parts(magic, source):
                    try:
                        piece = frame.decompress(part)
                    except zstandard.ZstdError as error:
                        raise _damaged(name, source.offset, error) from error
                    yield piece, None
                if not frame.eof:
                    raise _damaged(name, source.offset, "a zstd frame does not end where it says")
            yield b"", source.offset
        if not source.offset:
            raise _truncated(name, 0)

    return run


def _zstd_parts(magic: bytes, source: "_Source") -> "Iterator[bytes]":
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
            raise Damaged(f"a zstd block of {size} B is larger than the format allows")
        yield header + source.exactly(stored, "a zstd block")
    if has_checksum:
        yield source.exactly(4, "a zstd checksum")


class _Source:
    """Chunks, read in other pieces than they come.

    Attributes:
        offset: how much was read [B].
    """

    def __init__(self, chunks: "Iterator[bytes]", name: str) -> None:
        self._chunks, self._name = chunks, name
        self._held = b""
        self.offset = 0

    def some(self, size: int) -> bytes:
        """Up to ``size`` bytes [B], nothing only at the end."""
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._held = chunk
        data, self._held = self._held[:size], self._held[size:]
        self.offset += len(data)
        return data

    def exactly(self, size: int, what: str) -> bytes:
        """Exactly ``size`` bytes [B]."""
        data = b""
        while missing := size - len(data):
            part = self.some(missing)
            if not part:
                raise Damaged(truncated(self._name, self.offset, what, missing))
            data += part
        return data


def _fed(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
    for chunk in chunks:
        if len(chunk) <= _FEED:
            yield chunk
        else:
            for start in range(0, len(chunk), _FEED):
                yield chunk[start : start + _FEED]
