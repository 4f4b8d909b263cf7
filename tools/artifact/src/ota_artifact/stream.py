# SPDX-License-Identifier: Apache-2.0
"""Streams that are read once, from start to end, within limits."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from ota_artifact.errors import ArtifactError
from ota_artifact.unpack import PIECE, truncated

CHUNK = PIECE
"""How much is read at once [B]."""


class Readable(Protocol):
    """What we need from a file, pipe or socket: up to ``size`` bytes, ``b""`` at the end."""

    def read(self, size: int, /) -> bytes: ...


@runtime_checkable
class Skippable(Readable, Protocol):
    """A stream that can skip ``size`` bytes: a file, or HTTP with ranges."""

    def skip(self, size: int, /) -> None: ...


class Source:
    """A stream and how far it has been read.

    Attributes:
        offset: bytes read so far [B].
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self.offset = 0

    def some(self, limit: int) -> bytes:
        """Up to ``limit`` bytes [B]; ``b""`` only at the end of the stream."""
        data = self._stream.read(limit)
        self.offset += len(data)
        return data

    def exactly(self, size: int, what: str) -> bytes:
        """Exactly ``size`` bytes [B].

        Raises:
            ArtifactError: the stream ends too early.
        """
        parts = []
        missing = size
        while missing:
            data = self.some(missing)
            if not data:
                raise self.truncated(what, missing)
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def chunks(self, size: int, what: str) -> Iterator[bytes]:
        """The next ``size`` bytes [B] in pieces.

        Raises:
            ArtifactError: the stream ends too early.
        """
        missing = size
        while missing:
            data = self.some(min(missing, CHUNK))
            if not data:
                raise self.truncated(what, missing)
            missing -= len(data)
            yield data

    def skip(self, size: int, what: str) -> None:
        """Skip the next ``size`` bytes [B]; a stream that cannot skip reads and drops them.

        Raises:
            ArtifactError: the stream ends too early, and cannot skip.
        """
        if isinstance(self._stream, Skippable):
            self._stream.skip(size)
            self.offset += size
            return
        for _ in self.chunks(size, what):
            pass

    def truncated(self, what: str, missing: int) -> ArtifactError:
        """The error for a stream that ends ``missing`` bytes [B] early."""
        return ArtifactError(truncated(self._name, self.offset, what, missing))


class Chunks:
    """Makes a readable stream from an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._used = 0

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes [B]; a whole piece is passed on without a copy."""
        while self._used == len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece, self._used = piece, 0
        end = min(self._used + size, len(self._piece))
        start, self._used = self._used, end
        if start == 0 and end == len(self._piece):
            return self._piece
        return self._piece[start:end]
