# SPDX-License-Identifier: Apache-2.0
"""Block maps: which blocks of an image matter, with a checksum of each range.

A block that is not mapped keeps what was on the card before. So everything that a reader trusts is
mapped, zeros too: all that comes before the first partition, where no old environment or bootloader
may be found; the allocation tables, journals and other blocks that a filesystem uses; and all of
slot A, since it must equal the payload.

Source: bmap-tools, bmaptool/BmapCreate.py (version 2.0 of the format).
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ota_artifact.image.sparse import extents
from ota_artifact.layout import Area, Layout
from ota_image.disk.bitmaps import read_bitmaps
from ota_image.errors import ImageError

BLOCK = 4096
"""Size of a block [B]."""

_CHUNK = 1 << 20  # [B]
_PIECE = 16 << 20  # [B] of a range with one checksum, whole blocks
_LARGEST = 64 << 20  # [B] of a block map
_NO_CHECKSUM = "0" * 64


@dataclass(frozen=True, slots=True)
class Range:
    """Blocks that matter.

    Attributes:
        first: the first block.
        last: the last one, which is part of it.
        checksum: SHA-256 of their bytes [hex]; empty if the map has none.
    """

    first: int
    last: int
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class BlockMap:
    """What a block map says.

    Attributes:
        size: of the image [B].
        block: size of a block [B].
        ranges: in order.
    """

    size: int
    block: int
    ranges: tuple[Range, ...]

    @property
    def mapped(self) -> int:
        """How much is mapped [B]."""
        return sum(end - start for start, end in self.spans())

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where each range begins and ends [B]."""
        for each in self.ranges:
            yield each.first * self.block, min((each.last + 1) * self.block, self.size)


def mapped(
    disk: Path, layout: Layout, written: Iterable[tuple[int, int]] = ()
) -> list[tuple[int, int]]:
    """Where the blocks that matter begin and end on a composed image [B], in order.

    It does not depend on where the host's filesystem has holes: some fill small ones with zeros.

    Args:
        written: what was written outside of the partitions [B].

    Raises:
        ImageError: an ext4 was not made here.
        OSError: the image cannot be read.
    """
    spans = [(0, min(area.offset for area in layout.partitions)), *written]
    for area in layout.partitions:
        if area.name == "boot":
            spans += fat_in_use(disk, area)
        elif area.name == "A":
            spans.append((area.offset, area.end))
        else:
            spans += ext4_in_use(disk, area)
    spans += _not_zero(disk, layout.partition("A"))
    return _joined(spans, layout.size)


def ext4_in_use(disk: Path, area: Area) -> Iterator[tuple[int, int]]:
    """Where the used blocks of an ext4 begin and end [B], with its metadata.

    Raises:
        ImageError: it was not made here.
        OSError: the image cannot be read.
    """
    found = read_bitmaps(disk, area.offset)
    for each in found.blocks:
        yield (
            area.offset + each.start * found.block_size,
            area.offset + each.stop * found.block_size,
        )
    end = area.offset + found.count * found.block_size
    if end < area.end:
        yield end, area.end


def fat_in_use(disk: Path, area: Area) -> Iterator[tuple[int, int]]:
    """Where the used parts of a vfat begin and end [B]: its head, then each cluster.

    Source: Microsoft, FAT32 specification 1.03: boot sector, and a cluster's entry.
    """
    with disk.open("rb") as file:
        file.seek(area.offset)
        boot = file.read(512)
        sector, per_cluster, reserved, tables, roots = struct.unpack_from("<HBHBH", boot, 11)
        length = struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]
        sectors = struct.unpack_from("<H", boot, 19)[0] or struct.unpack_from("<I", boot, 32)[0]
        file.seek(area.offset + reserved * sector)
        table = file.read(length * sector)
    head = (reserved + tables * length) * sector + roots * 32
    cluster = per_cluster * sector
    count = (sectors * sector - head) // cluster
    yield area.offset, area.offset + head
    for number, is_used in enumerate(_fat_entries(table, count)):
        if is_used:
            start = area.offset + head + number * cluster
            yield start, start + cluster


def _fat_entries(table: bytes, count: int) -> Iterator[bool]:
    """Whether each cluster is in use; the number of clusters says how wide an entry is."""
    for number in range(2, count + 2):
        if count < 4085:
            pair = int.from_bytes(table[number * 3 // 2 : number * 3 // 2 + 2], "little")
            yield bool(pair >> (4 * (number % 2)) & 0xFFF)
        elif count < 65525:
            yield any(table[number * 2 : number * 2 + 2])
        else:
            yield bool(int.from_bytes(table[number * 4 : number * 4 + 4], "little") & 0xFFFFFFF)


def make_map(
    disk: Path, spans: Iterable[tuple[int, int]], known: Mapping[tuple[int, int], str] | None = None
) -> BlockMap:
    """The map of an image, with checksums; long ranges are split, so that all processors help.

    Args:
        spans: as `mapped` gives them.
        known: what `digests` gave for a part of the image that has not changed since.

    Raises:
        OSError: the image cannot be read.
    """
    pieces = [piece for start, end in spans for piece in _pieces(start, end)]
    with disk.open("rb", buffering=0) as file, ThreadPoolExecutor() as helpers:
        size = file.seek(0, os.SEEK_END)
        digests = helpers.map(
            lambda piece: (known or {}).get(piece) or _digest(file.fileno(), *piece), pieces
        )
        ranges = tuple(
            Range(start // BLOCK, -(-end // BLOCK) - 1, digest)
            for (start, end), digest in zip(pieces, digests, strict=True)
        )
    return BlockMap(size, BLOCK, ranges)


def digests(disk: Path, start: int, end: int) -> dict[tuple[int, int], str]:
    """The checksums of a part of the image [B], by the pieces in which a map has it.

    Raises:
        OSError: the image cannot be read.
    """
    pieces = list(_pieces(start, end))
    with disk.open("rb", buffering=0) as file, ThreadPoolExecutor() as helpers:
        found = helpers.map(lambda piece: _digest(file.fileno(), *piece), pieces)
        return dict(zip(pieces, found, strict=True))


def to_xml(block_map: BlockMap) -> str:
    """The text of a ``.bmap`` file."""
    blocks = sum(each.last - each.first + 1 for each in block_map.ranges)
    lines = [
        '<?xml version="1.0" ?>',
        '<bmap version="2.0">',
        f"    <ImageSize> {block_map.size} </ImageSize>",
        f"    <BlockSize> {block_map.block} </BlockSize>",
        f"    <BlocksCount> {-(-block_map.size // block_map.block)} </BlocksCount>",
        f"    <MappedBlocksCount> {blocks} </MappedBlocksCount>",
        "    <ChecksumType> sha256 </ChecksumType>",
        f"    <BmapFileChecksum> {_NO_CHECKSUM} </BmapFileChecksum>",
        "    <BlockMap>",
        *(
            f'        <Range chksum="{each.checksum}"> {_numbers(each)} </Range>'
            for each in block_map.ranges
        ),
        "    </BlockMap>",
        "</bmap>",
    ]
    text = "\n".join(lines) + "\n"
    return text.replace(_NO_CHECKSUM, hashlib.sha256(text.encode()).hexdigest(), 1)


def read_map(path: Path) -> BlockMap:
    """Read a ``.bmap`` file, ours or bmaptool's.

    Raises:
        ImageError: it is not a block map, is damaged, or has a version or checksum that we do not
            read.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _LARGEST:
        raise ImageError(f"{path}: is too large for a block map; make it again with bmaptool")
    raw = path.read_bytes()
    try:
        if b"<!" in raw.replace(b"<!--", b""):
            raise ImageError(f"{path}: declares entities; make it again with bmaptool")
        root = ElementTree.fromstring(raw)  # noqa: S314  # no entities, and of bounded size
        fields = {each.tag: (each.text or "").strip() for each in root}
        if root.get("version") not in ("2.0",) or fields["ChecksumType"] != "sha256":
            raise ImageError(
                f"{path}: is not a block map 2.0 with sha256; make it again with bmaptool"
            )
        said = fields["BmapFileChecksum"]
        if hashlib.sha256(raw.replace(said.encode(), _NO_CHECKSUM.encode())).hexdigest() != said:
            raise ImageError(f"{path}: is damaged; copy it again")
        ranges = tuple(_range(each) for each in root.iterfind("BlockMap/Range"))
        return BlockMap(int(fields["ImageSize"]), int(fields["BlockSize"]), ranges)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ImageError(
            f"{path}: is not a block map: {error}; make it again with bmaptool"
        ) from error


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """A range, split where its offset is a multiple of a piece, whatever comes before it."""
    while start < end:
        stop = min((start // _PIECE + 1) * _PIECE, end)
        yield start, stop
        start = stop


def _digest(file: int, start: int, end: int) -> str:
    digest = hashlib.sha256()
    while start < end and (piece := os.pread(file, min(end - start, _CHUNK), start)):
        digest.update(piece)
        start += len(piece)
    return digest.hexdigest()


def _range(element: ElementTree.Element) -> Range:
    first, _, last = (element.text or "").strip().partition("-")
    return Range(int(first), int(last or first), element.get("chksum", ""))


def _numbers(each: Range) -> str:
    return str(each.first) if each.first == each.last else f"{each.first}-{each.last}"


def _not_zero(disk: Path, mapped: Area) -> Iterator[tuple[int, int]]:
    """Where blocks with more than zeros begin and end [B], outside of what is mapped."""
    with disk.open("rb", buffering=0) as file:
        for start, end in extents(file.fileno()):
            for at in range(start // BLOCK * BLOCK, end, BLOCK):
                is_mapped = mapped.offset <= at < mapped.end
                if not is_mapped and os.pread(file.fileno(), BLOCK, at).strip(b"\0"):
                    yield at, at + BLOCK


def _joined(spans: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Spans in whole blocks, in order, none touching another."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        start, end = start // BLOCK * BLOCK, min(-(-end // BLOCK) * BLOCK, size)
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined
