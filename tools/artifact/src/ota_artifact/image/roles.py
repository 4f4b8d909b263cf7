# SPDX-License-Identifier: Apache-2.0
"""Which partition of a disk image is boot, slot A, slot B and data: the one rule.

What the image itself says counts: its layout.json, then the names and types in its GPT. An image
that says neither is taken to be in Mender's order if exactly four of its partitions can hold files,
by their types. Any other is refused, since a guess that is wrong puts a device's key into the wrong
partition.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ota_artifact.errors import ArtifactError, LayoutError, MatchError, RolesError
from ota_artifact.image.filesystem import open_filesystem, read_bytes, recognise
from ota_artifact.image.partitions import (
    BIOS_BOOT,
    ESP,
    FAT,
    FILES,
    SWAP,
    Partition,
    Table,
    describe_table,
    described_type,
)
from ota_artifact.layout import LARGEST, LAYOUT_JSON, Layout, TableKind, from_json
from ota_artifact.size import format_size

RULE = (
    "layout.json on the boot partition of a disk image says which partitions are boot, A, B and"
    " data. Without it, the names and types in a GPT say so; without those, exactly four partitions"
    " that can hold files are taken in Mender's order. Any other disk image is refused."
)
"""The rule in three sentences, for the help of commands."""

Role = Literal["boot", "A", "B", "data"]

Source = Literal["layout.json", "GPT names", "order"]
"""What told which partition is which."""

_FILE = f"/{LAYOUT_JSON}"
_ORDER: tuple[Role, ...] = ("boot", "A", "B", "data")
"""By number. Source: meta-mender, mender-part-images.bbclass, which may put swap before data."""

_NAMES: Mapping[Role, frozenset[str]] = {
    "boot": frozenset({"boot", "efi", "efisystem", "efisystempartition", "esp"}),
    "A": frozenset({"a", "slota", "roota", "rootfsa"}),
    "B": frozenset({"b", "slotb", "rootb", "rootfsb"}),
    "data": frozenset({"data"}),
}
"""What a GPT may call them, in lower case and without blanks, dashes and underscores."""

_COMPOSE = "compose the image with ota-image, which adds layout.json"
_REMEDIES: Mapping[TableKind, str] = {
    "gpt": f"name the partitions boot, A, B and data (`sgdisk -c 4:data`), or {_COMPOSE}",
    "mbr": f"use boot, A, B and data alone or a GPT with these names, or {_COMPOSE}",
}
logger = logging.getLogger(__name__)

_IGNORED = str.maketrans("", "", " -_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which partition is which; no two are the same, and both slots have one size.

    Attributes:
        source: what told so.
        layout: the image's own; None if it has none.
    """

    boot: Partition
    a: Partition
    b: Partition
    data: Partition
    source: Source
    layout: Layout | None = None

    @property
    def names(self) -> Mapping[int, str]:
        """What each partition is called, by its number; extra ones by the layout."""
        extra = {area.number: area.name for area in self.layout.partitions} if self.layout else {}
        four = (self.boot, self.a, self.b, self.data)
        return extra | {each.number: name for name, each in zip(_ORDER, four, strict=True)}


def is_one_filesystem(image: Path, table: Table | None) -> bool:
    """Whether an image is one filesystem, and not a disk.

    The table comes first: a disk may still have the magic number of what was on it before. The boot
    code of a filesystem, read as a table, gives no partitions that can be.

    Args:
        image: the file.
        table: what `read_table` gives; None: it refuses the image.

    Raises:
        OSError: the image cannot be read.
    """
    return bool(table is None or table.fault) and recognise(image) is not None


def find_roles(image: Path, table: Table) -> Roles:
    """Apply the rule to an image.

    Args:
        image: the file.
        table: its partition table.

    Raises:
        LayoutError: its layout.json is damaged.
        MatchError: its layout.json does not match the table.
        RolesError: it has none, and the table does not say which is which.
        ArtifactError: the table is damaged, or a partition that may hold layout.json is.
        ProgramError: mtools is missing, or fails.
        OSError: the image cannot be read.
    """
    if table.fault:
        raise ArtifactError(f"{image}: {table.fault}")
    found = _layouts(image, table)
    if len(found) > 1:
        numbers = " and ".join(str(holder.number) for holder, _ in found)
        raise RolesError(
            f"{image}: partitions {numbers} each have a layout.json; remove the one that is not of"
            " this image",
            describe_table(table),
        )
    if found:
        ((holder, layout),) = found
        return _by_layout(image, table, layout, holder)
    return _by_table(image, table)


def _layouts(image: Path, table: Table) -> list[tuple[Partition, Layout]]:
    """Each layout.json on the image, and the partition that it is on."""
    on: dict[str | None, list[Partition]] = {}
    for each in table.partitions:
        on.setdefault(recognise(image, each.offset, each.size), []).append(each)
    found = [(each, _layout_on(image, each)) for each in on.get("vfat", ())]
    if not any(layout for _, layout in found):
        found = [(each, _layout_on_ext4(image, table, each)) for each in on.get("ext4", ())]
    return [(each, layout) for each, layout in found if layout]


def _layout_on(image: Path, partition: Partition) -> Layout | None:
    place = f"{image}: layout.json on partition {partition.number}"
    filesystem = open_filesystem(image, partition.offset, partition.size)
    kind = filesystem.kind(_FILE)
    if kind is None:
        return None
    if kind != "file":
        raise LayoutError(f"{place}: is a {kind}, not a file; remove it")
    if filesystem.file_size(_FILE) > LARGEST:
        raise LayoutError(f"{place}: is not a layout file: it is longer than {LARGEST} B")
    return from_json(read_bytes(filesystem, _FILE, LARGEST), place)


def _layout_on_ext4(image: Path, table: Table, partition: Partition) -> Layout | None:
    """The same of an ext4, which may be a slot or data with a file of that name, or be damaged.

    The first partition of a disk is boot. Any other one counts if its layout says that it is boot.
    """
    if partition == table.partitions[0]:
        return _layout_on(image, partition)
    try:
        layout = _layout_on(image, partition)
    except LayoutError:
        return None
    except ArtifactError as error:
        logger.warning(
            "%s: partition %s: is not searched for layout.json: %s", image, partition.number, error
        )
        return None
    return layout if layout and _boot_number(layout) == partition.number else None


def _boot_number(layout: Layout) -> int:
    """The number of boot; 0: it has none."""
    return next((area.number for area in layout.partitions if area.name == "boot"), 0)


def _by_layout(image: Path, table: Table, layout: Layout, holder: Partition) -> Roles:
    difference = _difference(table, layout, holder)
    if difference:
        raise MatchError(
            f"{image}: layout.json on partition {holder.number} does not match the partition table:"
            f" {difference}; compose the image again, or remove a layout.json of another one",
            describe_table(table),
        )
    there = {each.number: each for each in table.partitions}
    boot, a, b, data = (there[layout.partition(name).number] for name in _ORDER)
    return Roles(boot=boot, a=a, b=b, data=data, source="layout.json", layout=layout)


def _difference(table: Table, layout: Layout, holder: Partition) -> str:
    """What differs; empty if they agree. The last partition may have grown with the card."""
    if layout.table != table.kind:
        return f"it is for {layout.table.upper()}, the table is {table.kind.upper()}"
    wanted = {area.number: area for area in layout.partitions}
    there = {each.number: each for each in table.partitions}
    last = max(layout.partitions, key=lambda area: area.offset)
    for number in sorted(wanted.keys() | there.keys()):
        area, found = wanted.get(number), there.get(number)
        if area is None or found is None:
            has, lacks = ("it", "the table") if found is None else ("the table", "it")
            return f"{has} has a partition {number}, {lacks} does not"
        is_size = found.size >= area.size if area == last else found.size == area.size
        if found.offset != area.offset or not is_size:
            return (
                f"partition {number}, {area.name}, has {_place(area.offset, area.size)} there and"
                f" {_place(found.offset, found.size)} in the table"
            )
    names = {area.name: area for area in layout.partitions}
    missing = [name for name in _ORDER if name not in names]
    if missing:
        return f"it has no partition {missing[0]}"
    if names["boot"].number != holder.number:
        return f"it has boot as partition {names['boot'].number}"
    return _uneven(there[names["A"].number], there[names["B"].number])


def _by_table(image: Path, table: Table) -> Roles:
    """By names and types, and by the order of exactly four; what both say must agree."""
    usable = [each for each in table.partitions if each.type not in (*SWAP, *BIOS_BOOT)]
    named = {role: _named(role, usable) for role in _ORDER}
    fault = _contradiction(named)
    chosen = {role: each[0] for role, each in named.items() if each}
    source: Source = "GPT names"
    if not fault and len(chosen) < len(_ORDER):
        source = "order"
        in_order = dict(zip(_ORDER, usable, strict=False))
        fault = _not_four(usable, chosen, in_order)
        chosen = in_order
    fault = fault or _uneven(chosen["A"], chosen["B"])
    if fault:
        finding = f"{image}: {fault}; {_REMEDIES[table.kind]}"
        raise RolesError(finding, describe_table(table))
    return Roles(
        boot=chosen["boot"],
        a=chosen["A"],
        b=chosen["B"],
        data=chosen["data"],
        source=source,
    )


def _named(role: Role, partitions: Sequence[Partition]) -> list[Partition]:
    """The partitions whose name or type says that they have this role."""
    return [
        each
        for each in partitions
        if each.label.casefold().translate(_IGNORED) in _NAMES[role]
        or (role == "boot" and each.type in ESP)
    ]


def _contradiction(named: Mapping[Role, Sequence[Partition]]) -> str:
    for role, found in named.items():
        if len(found) > 1:
            numbers = " and ".join(str(each.number) for each in found)
            return f"partitions {numbers} both are {role} by their names or types"
    numbers_of = {each.number: role for role, found in named.items() for each in found}
    for role, found in named.items():
        for each in found:
            if numbers_of[each.number] != role:
                return f"partition {each.number} is both {role} and {numbers_of[each.number]}"
    return ""


def _not_four(
    usable: Sequence[Partition],
    named: Mapping[Role, Partition],
    in_order: Mapping[Role, Partition],
) -> str:
    """Why the partitions cannot be taken in Mender's order; empty if they can."""
    if len(usable) != len(_ORDER):
        missing = ", ".join(role for role in _ORDER if role not in named)
        return (
            f"{len(usable)} partitions can hold files, not four, and no layout.json and no name in"
            f" a GPT says which is {missing}"
        )
    for role, each in named.items():
        if in_order[role].number != each.number:
            return (
                f"partition {each.number} is {role} by its name or type, and partition"
                f" {in_order[role].number} by its place among four"
            )
    for each in usable:
        if each.type not in FILES:
            return (
                f"partition {each.number} is of type {each.type}, which is not known to hold files"
            )
    return _unlike(in_order["A"], in_order["B"])


def _unlike(a: Partition, b: Partition) -> str:
    """Why two partitions cannot be slots by their types; empty if they can."""
    first = f"slot A would be partition {a.number} of type {described_type(a)}"
    if a.type != b.type:
        return (
            f"{first}, slot B partition {b.number} of type {described_type(b)}, and slots are of"
            " one type"
        )
    if a.type in FAT or a.type in ESP:
        return f"{first}, which holds no root filesystem"
    return ""


def _uneven(a: Partition, b: Partition) -> str:
    if a.size == b.size:
        return ""
    return (
        f"slot A would be partition {a.number} with {format_size(a.size)}, slot B partition"
        f" {b.number} with {format_size(b.size)}, and slots are of one size"
    )


def _place(offset: int, size: int) -> str:
    return f"{format_size(size)} at {offset:#x}"
