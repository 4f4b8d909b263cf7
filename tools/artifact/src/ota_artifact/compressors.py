# SPDX-License-Identifier: Apache-2.0
"""Compression for writing: the same bytes on every machine, on all cores.

The input comes in parts; each becomes its own member (gzip), frame (zstd) or stream (xz), so that a
reader can restart at any of them and the cores share the work. A reader sees one stream.

libdeflate makes the gzip: its output depends on the input alone, unlike that of isal (on the CPU)
and of zlib's successors. See docs/design/reproducible-artifacts.md.
"""

import lzma
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ota_artifact.compression import Codec
from ota_artifact.errors import ArtifactError, UnsupportedFeature

MEMBER = 1 << 20
"""How much of a payload file a gzip member or zstd frame holds [B]."""

_AHEAD = 16  # parts in memory: the threads have work while a run of zeros is hashed
_XZ_BLOCK = 20 << 20  # [B]: smaller ones cost size, larger ones memory
_XZ_THREADS = 4  # each takes about 130 MB

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """A way to compress, as ``--compression`` names it.

    Attributes:
        name: mender-artifact's name for it.
        codec: of the output.
        level: the library's level.
        member: input per member [B].
    """

    name: str
    codec: Codec
    level: int = 0
    member: int = MEMBER


COMPRESSIONS = {
    each.name: each
    for each in (
        Compression(name="none", codec=Codec.NONE),
        Compression(name="gzip", codec=Codec.GZIP, level=1),
        Compression(name="lzma", codec=Codec.XZ, level=6, member=_XZ_BLOCK),
        Compression(name="zstd_fastest", codec=Codec.ZSTD, level=1),
        Compression(name="zstd_fast", codec=Codec.ZSTD, level=3),
        Compression(name="zstd_better", codec=Codec.ZSTD, level=7),
        Compression(name="zstd_best", codec=Codec.ZSTD, level=12),
    )
}
"""Every compression for writing, by name."""

DEFAULT = COMPRESSIONS["gzip"]

OF_CODEC = {
    Codec.NONE: COMPRESSIONS["none"],
    Codec.GZIP: DEFAULT,
    Codec.XZ: COMPRESSIONS["lzma"],
    Codec.ZSTD: COMPRESSIONS["zstd_fast"],
}
"""What to write with if a changed artifact keeps its codec."""


def compression(name: str) -> Compression:
    """The compression of that name; ``zstd`` and ``xz`` mean their usual levels.

    Raises:
        ArtifactError: no compression has this name.
    """
    wanted = {"zstd": "zstd_fast", "xz": "lzma"}.get(name, name)
    if wanted not in COMPRESSIONS:
        raise ArtifactError(f"--compression: {name!r} is not one of {', '.join(COMPRESSIONS)}")
    return COMPRESSIONS[wanted]


def compress(parts: Iterable[bytes], how: Compression) -> Iterator[bytes]:
    """Each part as one member, in order; at most a few parts are in memory.

    Raises:
        UnsupportedFeature: the package for it is not installed.
    """
    threads = len(os.sched_getaffinity(0))
    ahead = max(_AHEAD, 2 * threads)
    zeros = bytes(how.member)  # a filesystem image has many such parts
    match how.codec:
        case Codec.NONE:
            yield from parts
        case Codec.GZIP:
            yield from _in_order(parts, _gzip(how.level), threads, ahead, zeros)
        case Codec.ZSTD:
            yield from _in_order(parts, _zstd(how.level), threads, ahead, zeros)
        case Codec.XZ:
            threads = min(threads, _XZ_THREADS)
            yield from _in_order(_blocks(parts, how.member), _xz(how.level), threads, threads)


def compress_whole(data: bytes, codec: Codec) -> bytes:
    """Small data, such as a header tar, as one member."""
    return b"".join(compress((data,), OF_CODEC[codec]))


def _in_order(
    parts: Iterable[_Part],
    member: Callable[[_Part], bytes],
    threads: int,
    ahead: int,
    repeated: _Part | None = None,
) -> Iterator[bytes]:
    """The result of ``member`` for each part, on some threads; ``ahead`` of them wait or run.

    Args:
        repeated: a frequent part, which is compressed once.
    """
    of_repeated: Future[bytes] | None = None
    running: deque[Future[bytes]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for part in parts:
            if part == repeated:
                of_repeated = of_repeated or pool.submit(member, part)
                running.append(of_repeated)
            else:
                running.append(pool.submit(member, part))
            if len(running) > ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _gzip(level: int) -> Callable[[bytes], bytes]:
    try:
        import deflate
    except ImportError as error:
        raise _missing("gzip", "deflate") from error

    return lambda data: bytes(deflate.gzip_compress(data, level))


def _zstd(level: int) -> Callable[[bytes], bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise _missing("zstd", "zstandard") from error

    # Threads must not share a compressor; making one is cheap compared to a member.
    return lambda data: zstandard.ZstdCompressor(level=level).compress(data)


def _xz(level: int) -> Callable[[list[bytes]], bytes]:
    def compressed(block: list[bytes]) -> bytes:
        coder = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC64, preset=level)
        done = []
        while block:  # frees what is done
            done.append(coder.compress(block.pop(0)))
        return b"".join((*done, coder.flush()))

    return compressed


def _missing(codec: str, package: str) -> UnsupportedFeature:
    return UnsupportedFeature(
        f"writing {codec} needs the Python package {package!r}, which is not installed;"
        " install it with pip, or choose --compression none or lzma"
    )


def _blocks(parts: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """The same bytes, in pieces of blocks of ``size`` [B]; the last block is shorter.

    The caller owns a block, and may empty it.
    """
    block: list[bytes] = []
    room = size
    for part in parts:
        while len(part) >= room:
            block.append(part[:room])
            part = part[room:]
            yield block
            block, room = [], size
        block.append(part)
        room -= len(part)
    if any(block):
        yield block
