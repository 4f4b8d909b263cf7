# SPDX-License-Identifier: Apache-2.0
"""Which kernel modules an initrd holds, and whether it starts the watchdog.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (cpio, form "newc").
"""

import lzma
import zlib
from collections.abc import Iterator

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_image.rootfs.initrd import WATCHDOG as SETTING

_LARGEST = 512 << 20  # [B] unpacked
_HEAD = 110  # [B]
_MAGICS = (b"070701", b"070702")


def module_names(data: bytes) -> set[str] | None:
    """The modules, by the kernel's names; None: packed in a way that we do not read."""
    try:
        names = list(_names(data))
    except (zlib.error, lzma.LZMAError, ValueError, IndexError, ProgramError):
        return None
    return {
        name.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
        for name in names
        if ".ko" in name.rpartition("/")[2]
    }


def starts_watchdog(data: bytes) -> bool:
    """Whether the initrd is ours, and for a board with a watchdog; no if it cannot be read."""
    try:
        return SETTING in _names(data)
    except (zlib.error, lzma.LZMAError, ValueError, IndexError, ProgramError):
        return False


def _names(data: bytes) -> Iterator[str]:
    """The names in one or more archives, one after the other, each packed or not."""
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
        elif data[at : at + 6] in _MAGICS:
            size, name_size = (int(data[at + p : at + p + 8], 16) for p in (54, 94))
            name = data[at + _HEAD : at + _HEAD + name_size - 1].decode("utf-8", "replace")
            at += -(-(_HEAD + name_size) // 4) * 4 + -(-size // 4) * 4
            if name != "TRAILER!!!":
                yield name
        else:
            yield from _names(_unpacked(data[at:]))
            return


def _unpacked(data: bytes) -> bytes:
    """What is packed.

    Raises:
        ValueError: in a way that we do not read, or to more than an initrd can be.
    """
    if data[:2] == b"\x1f\x8b":
        unpacked = zlib.decompressobj(31).decompress(data, _LARGEST)
    elif data[:6] == b"\xfd7zXZ\0":
        unpacked = lzma.LZMADecompressor().decompress(data, _LARGEST)
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        unpacked = run(("zstd", "-dc"), timeout=60, stdin=data)
    else:
        raise ValueError("neither cpio, nor gzip, xz or zstd")
    if len(unpacked) >= _LARGEST:
        raise ValueError("too large for an initrd")
    return unpacked
