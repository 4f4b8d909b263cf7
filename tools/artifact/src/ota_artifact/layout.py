# SPDX-License-Identifier: Apache-2.0
"""Where everything stands on a disk, and `layout.json`, the file that says so.

`ota-board` plans a layout. `ota-image` writes it onto the boot partition and into the root
filesystem. Whatever reads it, on the host or on the device, reads it here. Standard library only.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from ota_artifact.errors import ArtifactError, LayoutError
from ota_artifact.json_text import parse_object
from ota_artifact.names import shown
from ota_artifact.size import format_size

LAYOUT_JSON = "layout.json"
"""The name of the file."""

SECTOR = 512
"""Size of a sector [B]."""

SCHEMA = 1
"""Version of the JSON form."""

LARGEST = 256 << 10
"""How long a layout.json may be [B]; one with 128 partitions has 40 KiB."""

TableKind = Literal["mbr", "gpt"]

AreaKind = Literal["table", "reserved", "environment", "partition", "extended", "link"]
"""What an area is: a partition table or its backup; a bootloader's place; a copy of the
environment; a partition; the MBR's extended partition; the table of one logical partition."""

_MOST_AREAS = 1024
_MOST = 1 << 62  # [B]
_HIGHEST = 256  # number of a partition
_LONGEST_NAME = 64
_DEVICE = re.compile(r"/[!-~]{1,255}")
_FIELDS = ("schema", "size", "device", "table", "areas")
_AREA_FIELDS = ("kind", "name", "offset", "size")
_REMEDY = "take that of the board: `ota-board layout --json BOARD` prints it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A range of the disk.

    Attributes:
        kind: what it is.
        name: unique on the disk; of a partition, also its label.
        offset: its first byte [B].
        size: its length [B].
        number: of a partition, as Linux counts; 0 for anything else.
    """

    kind: AreaKind
    name: str
    offset: int
    size: int
    number: int = 0

    @property
    def end(self) -> int:
        """The first byte after it [B]."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A disk whose areas do not overlap.

    Attributes:
        size: of the disk [B].
        device: the disk on the running system, such as ``/dev/mmcblk0``.
        table: kind of partition table.
        areas: by offset; an extended partition comes before what is in it.
    """

    size: int
    device: str
    table: TableKind
    areas: tuple[Area, ...]

    @property
    def partitions(self) -> tuple[Area, ...]:
        """The partitions that hold something, by number."""
        found = (area for area in self.areas if area.kind == "partition")
        return tuple(sorted(found, key=lambda area: area.number))

    def partition(self, name: str) -> Area:
        """The partition of a name: ``boot``, ``A``, ``B``, ``data`` or an extra one's.

        Raises:
            KeyError: there is none.
        """
        for area in self.partitions:
            if area.name == name:
                return area
        raise KeyError(name)

    def node(self, name: str) -> str:
        """The device node of a partition, such as ``/dev/mmcblk0p2`` or ``/dev/vda2``."""
        return f"{node_base(self.device)}{self.partition(name).number}"

    @property
    def environment(self) -> tuple[Area, ...]:
        """The raw copies of the bootloader's environment; none if it is in files."""
        return tuple(area for area in self.areas if area.kind == "environment")


def node_base(device: str) -> str:
    """What the number of a partition follows: a ``p`` comes after a name that ends in a digit.

    Source: Linux, block/genhd.c.
    """
    return f"{device}p" if device[-1:].isdigit() else device


def to_json(layout: Layout) -> str:
    """The text of a layout.json; `from_json` reads it."""
    value = {
        "schema": SCHEMA,
        "size": layout.size,
        "device": layout.device,
        "table": layout.table,
        "areas": [
            {
                "kind": area.kind,
                "name": area.name,
                "offset": area.offset,
                "size": area.size,
                **({"number": area.number} if area.number else {}),
            }
            for area in layout.areas
        ],
    }
    return json.dumps(value, indent=1) + "\n"


def read_layout(path: Path) -> Layout:
    """Read a layout.json.

    Raises:
        LayoutError: it is not a layout file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return from_json(file.read(LARGEST + 1), str(path))


def from_json(raw: bytes, place: str = LAYOUT_JSON) -> Layout:
    """Read what `to_json` wrote.

    Args:
        raw: the content of the file.
        place: the name of the file, for messages.

    Raises:
        LayoutError: it is too long, not JSON, of another schema, has a field that is missing,
            unknown or wrong, or areas that overlap.
    """
    try:
        if len(raw) > LARGEST:
            raise LayoutError(f"it is longer than {LARGEST} B")
        layout = _layout(parse_object(raw, "the content"))
        check_areas(layout.areas, layout.size)
    except ArtifactError as error:
        raise LayoutError(f"{place}: is not a layout file: {error}; {_REMEDY}") from error
    return layout


def check_areas(areas: Sequence[Area], size: int) -> None:
    """Pass if areas fit onto a disk of a size [B], and do not overlap.

    What is inside the extended partition may overlap that.

    Raises:
        LayoutError: what is wrong, without a place.
    """
    for name, count in Counter(area.name for area in areas).items():
        if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
            raise LayoutError(
                f"{shown(name)} cannot be the name of an area; use 1 to {_LONGEST_NAME} printable"
                " characters"
            )
        if count > 1:
            raise LayoutError(f"{name}: two areas of the disk have this name")
    ordered = sorted((area for area in areas if area.kind != "extended"), key=by_offset)
    for area in ordered:
        if area.offset < 0 or area.size <= 0 or area.offset % SECTOR:
            raise LayoutError(f"{_shown(area)} is not a range of whole sectors")
    for before, after in pairwise(ordered):
        if after.offset < before.end:
            raise LayoutError(f"{_shown(after)} overlaps {_shown(before)}; move one of them")
    last = max(ordered, key=lambda area: area.end)
    if last.end > size:
        raise LayoutError(
            f"{_shown(last)} ends {format_size(last.end - size)} after the end of the storage of"
            f" {format_size(size)}; make it larger or a partition smaller"
        )


def by_offset(area: Area) -> tuple[int, int]:
    """The order of areas; of two that begin together, the one that holds the other comes first."""
    return area.offset, -area.size


def _layout(value: Mapping[str, Any]) -> Layout:
    _require_fields(value, _FIELDS, "the layout")
    if value["schema"] != SCHEMA or type(value["schema"]) is not int:
        raise LayoutError(f"schema {_text(value['schema'])} is not known; {SCHEMA} is")
    device, areas = value["device"], value["areas"]
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        raise LayoutError(f"device: {_text(device)} is not the path of a disk")
    if not isinstance(areas, list) or not 0 < len(areas) <= _MOST_AREAS:
        raise LayoutError(f"areas: is not a list of 1 to {_MOST_AREAS} areas")
    found = tuple(_area(each, f"areas[{number}]") for number, each in enumerate(areas))
    numbers = Counter(area.number for area in found if area.number)
    for number, count in numbers.items():
        if count > 1:
            raise LayoutError(f"areas: two are partition {number}")
    if all(area.kind == "extended" for area in found):
        raise LayoutError("areas: none of them is a partition")
    return Layout(
        size=_number(value["size"], "size"),
        device=device,
        table=_choice(value["table"], get_args(TableKind), "table"),
        areas=found,
    )


def _area(value: object, place: str) -> Area:
    if not isinstance(value, dict):
        raise LayoutError(f"{place}: is not an object")
    has_number = value.get("kind") in ("partition", "extended")
    _require_fields(value, (*_AREA_FIELDS, *(("number",) if has_number else ())), place)
    if not isinstance(value["name"], str):
        raise LayoutError(f"{place}.name: {_text(value['name'])} is not a text")
    number = _number(value["number"], f"{place}.number") if has_number else 0
    if has_number and not 0 < number <= _HIGHEST:
        raise LayoutError(f"{place}.number: {number} is not the number of a partition")
    return Area(
        kind=_choice(value["kind"], get_args(AreaKind), f"{place}.kind"),
        name=value["name"],
        offset=_number(value["offset"], f"{place}.offset"),
        size=_number(value["size"], f"{place}.size"),
        number=number,
    )


def _require_fields(value: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for name in known:
        if name not in value:
            raise LayoutError(f"{place}: has no field {name}")
    for name in value:
        if name not in known:
            raise LayoutError(f"{place}: has the unknown field {shown(name)}")


def _number(value: object, place: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:  # True is an int, too
        raise LayoutError(f"{place}: {_text(value)} is not a number of bytes or a partition's")
    return value


def _choice(value: object, choices: Sequence[Any], place: str) -> Any:
    if value not in choices:
        raise LayoutError(f"{place}: {_text(value)} is not one of {', '.join(choices)}")
    return value


def _text(value: object) -> str:
    """A value from the file, for a message."""
    match value:
        case str():
            return shown(value)
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return json.dumps(value)[:40]


def _shown(area: Area) -> str:
    return f"{area.kind} {area.name} ({area.offset:#x} to {area.end:#x})"
