# SPDX-License-Identifier: Apache-2.0
"""How the tars in an artifact are compressed, and how to decompress them from a stream.

gzip and zstd payloads may be many members (frames) in a row; a `Decompressor` reads them as one
stream and tells where decompression can restart (`Restart`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ota_artifact.errors import ArtifactError, UnsupportedFeature
from ota_artifact.unpack import MEMORY_LIMIT, Damaged, Unsupported, unpacker

__all__ = [
    "MEMORY_LIMIT",
    "Codec",
    "Decompress",
    "Decompressing",
    "Decompressor",
    "Restart",
    "restarts",
]


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


class Decompressing(Protocol):
    """Decompresses a stream; see `Decompressor`."""

    @property
    def restart(self) -> Restart: ...

    def run(self, chunks: Iterator[bytes]) -> Iterator[bytes]: ...


Decompress = Callable[[Codec, str, Restart], Decompressing]
"""Makes one for a stream of a codec, with this name, from there on."""


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
        try:
            for piece, restart in restarts(self._pieces(chunks), self._start):
                self.restart = restart
                if piece:
                    yield piece
        except Damaged as error:
            raise ArtifactError(str(error)) from error
        except Unsupported as error:
            raise UnsupportedFeature(str(error)) from error
        except MemoryError as error:
            raise ArtifactError(
                f"{self._name}: there is not enough memory to unpack it; write it with a smaller"
                " window"
            ) from error

    def _pieces(self, chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int | None]]:
        if self._codec is Codec.NONE:
            return _plain(chunks)
        return unpacker(self._codec.value, self._name)(chunks, self._name)


def restarts(
    pieces: Iterator[tuple[bytes, int | None]], start: Restart
) -> Iterator[tuple[bytes, Restart]]:
    """Each piece, and the last boundary before it; at the end nothing, and the last one of all.

    Args:
        pieces: with each, how much was read if a member ends with it [B].
    """
    given, last = start.given, start
    for piece, boundary in pieces:
        yield piece, last
        given += len(piece)
        if boundary is not None:
            last = Restart(start.read + boundary, given)
    yield b"", last


def _plain(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int | None]]:
    read = 0
    for chunk in chunks:
        read += len(chunk)
        yield chunk, read
