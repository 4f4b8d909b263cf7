# SPDX-License-Identifier: Apache-2.0
"""Which kernel modules an initrd holds, and whether it starts the watchdog.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (cpio, form "newc").
"""

import lzma
import re
import zlib
from collections.abc import Generator, Iterator

from ota_artifact.compression import Codec, Decompressor
from ota_artifact.errors import ArtifactError
from ota_image.rootfs.initrd import WATCHDOG as SETTING

_LARGEST = 512 << 20  # [B] unpacked, of all archives together
_MEMORY = 512 << 20  # [B] for a dictionary of xz
_HEAD = 110  # [B]
_MAGICS = (b"070701", b"070702")
_LAST = "TRAILER!!!"
_PADDING = re.compile(rb"\0*")
_MOST_PACKED = 16


def module_names(data: bytes) -> set[str] | None:
    """The modules, by the kernel's names; None: packed in a way that we do not read."""
    try:
        files = {name.rpartition("/")[2] for name in _names(data) if ".ko" in name}
    except (zlib.error, lzma.LZMAError, EOFError, ValueError, ArtifactError):
        return None
    return {name.partition(".ko")[0].replace("-", "_") for name in files if ".ko" in name}


def starts_watchdog(data: bytes) -> bool:
    """Whether the initrd is ours, and for a board with a watchdog; no if it cannot be read."""
    try:
        return SETTING in _names(data)
    except (zlib.error, lzma.LZMAError, EOFError, ValueError, ArtifactError):
        return False


def _names(data: bytes) -> Iterator[str]:
    """The names in one or more archives, one after the other, each packed or not.

    Raises:
        ValueError: it is neither, or unpacks to more than an initrd can have.
    """
    room = _LARGEST
    for _ in range(_MOST_PACKED):
        at = yield from _members(data)
        if at == len(data):
            return
        archive, data = _unpacked(data[at:], room)
        room -= len(archive)
        if (yield from _members(archive)) != len(archive):
            raise ValueError("what is packed is not an archive")
    if data:
        raise ValueError("too many archives")


def _members(data: bytes) -> Generator[str, None, int]:
    """The names in archives that are not packed; gives where they end.

    Raises:
        ValueError: one is damaged.
    """
    at, is_open = 0, False
    while match := _PADDING.match(data, at):
        at = match.end()
        if not data.startswith(_MAGICS, at):
            break
        size, name_size = (_number(data[at + place : at + place + 8]) for place in (54, 94))
        name = data[at + _HEAD : at + _HEAD + name_size - 1].decode("utf-8", "replace")
        at += -(-(_HEAD + name_size) // 4) * 4 + -(-size // 4) * 4
        is_open = name != _LAST
        if is_open:
            yield name
    if is_open:
        raise ValueError("an archive does not end as archives do")
    return min(at, len(data))


def _number(digits: bytes) -> int:
    """Eight hexadecimal digits.

    Raises:
        ValueError: they are none.
    """
    return int.from_bytes(bytes.fromhex(digits.decode("ascii")).rjust(4, b"\0"))


def _unpacked(data: bytes, room: int) -> tuple[bytes, bytes]:
    """What is packed at the begin, and what follows it.

    Raises:
        ValueError: it is packed in a way that we do not read, or to more than there is room for.
    """
    rest = b""
    if data[:2] == b"\x1f\x8b":
        gzip = zlib.decompressobj(31)
        unpacked, rest = gzip.decompress(data, room), gzip.unused_data
    elif data[:6] == b"\xfd7zXZ\0":
        xz = lzma.LZMADecompressor(memlimit=_MEMORY)
        unpacked = xz.decompress(data, room)
        rest = xz.unused_data
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        found = bytearray()
        for piece in Decompressor(Codec.ZSTD, "initrd").run(iter((data,))):
            found += piece
            if len(found) >= room:
                break
        unpacked = bytes(found)
    else:
        raise ValueError("neither cpio, nor gzip, xz or zstd")
    if len(unpacked) >= room:
        raise ValueError("too large for an initrd")
    return unpacked, rest
