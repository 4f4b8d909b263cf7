# SPDX-License-Identifier: Apache-2.0
"""Where U-Boot puts the files of a slot in memory, and whether one overwrites another.

Source: U-Boot, boot/image-fdt.c ("FDT image overlaps OS image") and cmd/booti.c.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

_ARM64_AT, _ARM64 = 56, b"ARM\x64"  # Source: Linux, Documentation/arch/arm64/booting.rst
_SIZE_AT = 16
_GZIP = b"\x1f\x8b"
_FDT_ROOM = 0x3000  # [B] that U-Boot adds to a device tree. Source: U-Boot, SYS_FDT_PAD
KERNEL = "kernel"


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


def kernel_size(image: bytes, file_size: int) -> int:
    """How much memory a kernel takes from its address on [B]: more than its file has.

    Args:
        image: its first bytes, unpacked.
        file_size: of the file as it is loaded [B].
    """
    if image[_ARM64_AT : _ARM64_AT + 4] == _ARM64:
        return max(int(struct.unpack_from("<Q", image, _SIZE_AT)[0]), file_size)
    return file_size


def regions(
    variables: Mapping[str, str], kernel: bytes, image: bytes, *, fdt: int, initrd: int
) -> tuple[Region, ...]:
    """What is in memory when the kernel starts, by address; nothing if no address is known.

    The boot entry and saved variables are read before the kernel is loaded, and may be overwritten.

    Args:
        variables: U-Boot's.
        kernel: the file in the slot.
        image: the same, unpacked.
        fdt: size of the device tree [B]; 0 for none in the slot.
        initrd: its size [B]; 0 for none.
    """
    sizes = {
        "kernel_addr_r": (KERNEL, kernel_size(image, len(kernel))),
        "fdt_addr_r": ("device tree", fdt + _FDT_ROOM if fdt else 0),
        "ramdisk_addr_r": ("initrd", initrd),
    }
    if kernel.startswith(_GZIP) and _number(variables, "kernel_comp_addr_r"):
        packed = max(_number(variables, "kernel_comp_size"), len(image))
        sizes["kernel_comp_addr_r"] = ("kernel as it is unpacked", packed)
    found = (
        Region(what, _number(variables, name), size)
        for name, (what, size) in sizes.items()
        if size and _number(variables, name)
    )
    return tuple(sorted(found, key=lambda each: each.start))


def overlaps(found: Sequence[Region]) -> Iterator[tuple[Region, Region]]:
    """Each two of which one lies in the other."""
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
