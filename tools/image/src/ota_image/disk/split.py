# SPDX-License-Identifier: Apache-2.0
"""Takes a disk image apart into files, for tools that flash a board in production.

Written back to their offsets onto an empty disk, the files give the image again.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ota_artifact.image.sparse import copy_range, extents
from ota_artifact.layout import Area, Layout
from ota_board.board import SLOTS
from ota_image.disk.compose import Raw
from ota_image.errors import ImageError

INDEX = "parts.json"
"""What lists the files."""

_SCHEMA = 1
_BLOCK = 1 << 20  # [B]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A range of the disk as a file.

    Attributes:
        file: its name.
        kind: that of the layout's area, or ``firmware``.
        name: the area's, or the firmware's file.
        offset: where it belongs [B].
        size: its length [B].
        number: of a partition, as Linux counts; 0 for anything else.
        sha256: of its bytes [hex].
    """

    file: str
    kind: str
    name: str
    offset: int
    size: int
    number: int
    sha256: str


def split(image: Path, layout: Layout, raw: Iterable[Raw], folder: Path) -> tuple[Piece, ...]:
    """Write each part of an image into a file of a folder, and a list of them into parts.json.

    Each partition table, copy of the environment, raw firmware and partition becomes a sparse
    file. An existing folder is replaced when all went well.

    Raises:
        ImageError: something else than a folder of parts has the folder's name.
        OSError: no space, or a file cannot be read or written.
    """
    if folder.exists() and not (folder / INDEX).is_file():
        raise ImageError(f"{folder}: is not a folder of parts; move it away")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name[:200]}.", dir=folder.parent) as name:
        made = Path(name, "parts")
        made.mkdir()
        ranges = sorted((*_areas(layout), *_firmware(raw)), key=lambda each: each[1].offset)
        pieces = tuple(_cut(image, file, area, kind, made) for file, area, kind in ranges)
        value = {
            "schema": _SCHEMA,
            "size": layout.size,
            "device": layout.device,
            "parts": [asdict(piece) for piece in pieces],
        }
        (made / INDEX).write_text(json.dumps(value, indent=1) + "\n", "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return pieces


def _areas(layout: Layout) -> Iterator[tuple[str, Area, str]]:
    """File, range and kind of each part; a reserved area holds nothing but firmware."""
    for area in layout.areas:
        if area.kind == "link":  # partitioners put it anywhere between its place and the partition
            end = min(each.offset for each in layout.partitions if each.offset > area.offset)
            area = replace(area, size=end - area.offset)
        if area.kind in ("table", "environment", "link"):
            yield f"{area.name.replace(' ', '-')}.bin", area, area.kind
        elif area.kind == "partition":
            slot = "slot-" if area.name in SLOTS else ""
            form = "vfat" if area.name == "boot" else "ext4"
            yield f"{area.number}-{slot}{area.name}.{form}", area, area.kind


def _firmware(raw: Iterable[Raw]) -> Iterator[tuple[str, Area, str]]:
    for each in raw:
        size = each.path.stat().st_size
        area = Area(kind="reserved", name=each.path.name, offset=each.offset, size=size)
        yield f"{each.path.name}-at-{each.offset:#x}", area, "firmware"


def _cut(image: Path, name: str, area: Area, kind: str, folder: Path) -> Piece:
    place = folder / name
    with image.open("rb") as source, place.open("w+b", buffering=0) as target:
        target.truncate(area.size)
        for start, end in extents(source.fileno()):
            begin, stop = max(start, area.offset), min(end, area.end)
            if begin < stop:
                copy_range(source.fileno(), target.fileno(), begin, stop, shift=-area.offset)
        target.seek(0)
        digest = hashlib.file_digest(target, "sha256").hexdigest()
    return Piece(
        file=name,
        kind=kind,
        name=area.name,
        offset=area.offset,
        size=area.size,
        number=area.number,
        sha256=digest,
    )
