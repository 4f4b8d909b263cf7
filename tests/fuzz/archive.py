# SPDX-License-Identifier: Apache-2.0
"""Tars taken apart and put together again, however broken they are."""

import lzma
import zlib
from dataclasses import dataclass

import zstandard

from tests.golden.draft import BLOCK, Entry, put_checksum, squeeze

_LIMIT = 1 << 18  # [B]: larger inputs are too slow for thousands of tries


@dataclass(slots=True)
class Part:
    """A member of a tar: its raw header, and its content."""

    header: bytearray
    content: bytes

    @property
    def name(self) -> str:
        """The name in the header, as bytes."""
        return bytes(self.header[:100]).split(b"\0", 1)[0].decode("latin-1")

    @name.setter
    def name(self, name: str) -> None:
        self.header[:100] = name.encode("latin-1", "replace")[:100].ljust(100, b"\0")

    def put_size(self) -> None:
        """Set the size in the header to that of the content."""
        self.header[124:136] = b"%011o\0" % len(self.content)

    def put_checksum(self) -> None:
        """Make the header's checksum right."""
        put_checksum(self.header)

    def copy(self) -> "Part":
        return Part(bytearray(self.header), self.content)


def split(data: bytes) -> tuple[list[Part], bytes]:
    """The members of a tar, and what comes after them."""
    parts = []
    at = 0
    while len(block := data[at : at + BLOCK]) == BLOCK and any(block):
        size = _size(block[124:136])
        parts.append(Part(bytearray(block), data[at + BLOCK : at + BLOCK + size]))
        at += BLOCK + size + -size % BLOCK
    return parts, data[at:]


def join(parts: list[Part], tail: bytes) -> bytes:
    """A tar of these members."""
    packed = [bytes(p.header) + p.content + bytes(-len(p.content) % BLOCK) for p in parts]
    return b"".join((*packed, tail))


def part(entry: Entry) -> Part:
    """A valid member."""
    packed = entry.packed()
    return Part(bytearray(packed[:BLOCK]), entry.content)


def suffix(name: str) -> str:
    """How a tar of this name is compressed."""
    return next((each for each in (".gz", ".xz", ".zst") if name.endswith(each)), "")


def unpack(content: bytes, how: str) -> bytes | None:
    """The tar inside; None if it is damaged or large."""
    try:
        match how:
            case ".gz":
                plain = _gunzip(content)
            case ".xz":
                plain = lzma.LZMADecompressor().decompress(content, _LIMIT)
            case ".zst":
                stream = zstandard.ZstdDecompressor(max_window_size=1 << 27)
                with stream.stream_reader(content, read_across_frames=True) as reader:
                    plain = reader.read(_LIMIT)
            case _:
                plain = content
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, MemoryError):
        return None
    return plain if len(plain) < _LIMIT else None


def pack(plain: bytes, how: str) -> bytes:
    """The tar compressed as the suffix says."""
    return squeeze(plain, how)


def _gunzip(content: bytes) -> bytes:
    plain = b""
    while content and len(plain) < _LIMIT:
        member = zlib.decompressobj(31)
        plain += member.decompress(content, _LIMIT)
        if not member.eof:
            break
        content = member.unused_data
    return plain


def _size(field: bytes) -> int:
    digits = field.strip(b"\0 ")
    return int(digits, 8) if digits.isdigit() and not set(digits) & set(b"89") else 0
