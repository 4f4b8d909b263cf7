# SPDX-License-Identifier: Apache-2.0
"""Where U-Boot puts the files of a slot in memory, and whether one overwrites another.

The addresses are compiled into U-Boot, which no update changes. So the meta-data of an artifact say
how much memory its slot needs, and an agent compares it with the addresses of its own U-Boot.

Source: U-Boot, boot/image-fdt.c ("FDT image overlaps OS image") and cmd/booti.c.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise

KERNEL = "kernel"
_FIELD = "memory"  # of the meta-data
_FDT_ROOM = 0x3000  # [B] that U-Boot adds to a device tree. Source: U-Boot, SYS_FDT_PAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """How much memory the files of a slot take [B]; 0 if the slot lacks the file.

    Attributes:
        kernel: from its address on, which may be more than its file has.
        unpacked: of a compressed kernel, what U-Boot unpacks elsewhere first.
        device_tree: the largest one.
    """

    kernel: int
    unpacked: int = 0
    device_tree: int = 0
    initrd: int = 0


@dataclass(frozen=True, slots=True)
class Region:
    """A part of memory.

    Attributes:
        name: what is in it.
        start: its address.
        size: [B].
    """

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + self.size


def meta_data_of(needs: Needs) -> bytes:
    """The meta-data of a payload that needs this."""
    return json.dumps({_FIELD: asdict(needs)}).encode()


def needs_in(meta_data: bytes) -> Needs | None:
    """What a payload's meta-data says that it needs; None if they do not say it."""
    try:
        found = json.loads(meta_data or b"{}").get(_FIELD)
        sizes = {name: found[name] for name in Needs.__slots__}
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return None
    if any(type(each) is not int or each < 0 for each in sizes.values()):
        return None
    return Needs(**sizes)


def regions(variables: Mapping[str, str], needs: Needs) -> tuple[Region, ...]:
    """What is in memory when the kernel starts, by address; nothing if no address is known.

    The boot entry and saved variables are read before the kernel is loaded, and may be overwritten.

    Args:
        variables: U-Boot's.
    """
    sizes = {
        "kernel_addr_r": (KERNEL, needs.kernel),
        "fdt_addr_r": ("device tree", needs.device_tree and needs.device_tree + _FDT_ROOM),
        "ramdisk_addr_r": ("initrd", needs.initrd),
    }
    if needs.unpacked:
        most = max(_number(variables, "kernel_comp_size"), needs.unpacked)
        sizes["kernel_comp_addr_r"] = ("kernel as it is unpacked", most)
    found = (
        Region(what, _number(variables, name), size)
        for name, (what, size) in sizes.items()
        if size and _number(variables, name)
    )
    return tuple(sorted(found, key=lambda each: each.start))


def overlaps(found: Sequence[Region]) -> Iterator[tuple[Region, Region]]:
    """Each two that overlap."""
    for first, second in combinations(found, 2):
        if first.end > second.start:
            yield first, second


def room(found: Sequence[Region]) -> int | None:
    """How large the kernel may become [B]; None: it is not there, or nothing is above it."""
    for first, second in pairwise(found):
        if first.name == KERNEL:
            return second.start - first.start
    return None


def _number(variables: Mapping[str, str], name: str) -> int:
    """The value of a variable, which is hexadecimal; 0 if it is not a number."""
    try:
        return int(variables.get(name, "0"), 16)
    except ValueError:
        return 0
