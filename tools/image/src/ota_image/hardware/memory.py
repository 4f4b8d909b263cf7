# SPDX-License-Identifier: Apache-2.0
"""How much memory the files of a slot need."""

import struct
from collections.abc import Iterable

from ota_artifact.memory import Needs

_ARM64_AT, _ARM64 = 56, b"ARM\x64"  # Source: Linux, Documentation/arch/arm64/booting.rst
_SIZE_AT = 16
_GZIP = b"\x1f\x8b"


def kernel_size(image: bytes, file_size: int) -> int:
    """How much memory a kernel takes from its address on [B]: more than its file has.

    Args:
        image: its first bytes, unpacked.
        file_size: of the file as it is loaded [B].
    """
    if image[_ARM64_AT : _ARM64_AT + 4] == _ARM64:
        return max(int(struct.unpack_from("<Q", image, _SIZE_AT)[0]), file_size)
    return file_size


def needs_of(kernel: bytes, image: bytes, *, trees: Iterable[int], initrd: int) -> Needs:
    """The memory for a kernel and what goes with it.

    Args:
        kernel: the file in the slot.
        image: the same, unpacked.
        trees: the sizes of the device trees [B]; U-Boot loads one of them.
        initrd: its size [B]; 0 for none.
    """
    return Needs(
        kernel=kernel_size(image, len(kernel)),
        unpacked=len(image) if kernel.startswith(_GZIP) else 0,
        device_tree=max(trees, default=0),
        initrd=initrd,
    )
