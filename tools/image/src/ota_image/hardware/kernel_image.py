# SPDX-License-Identifier: Apache-2.0
"""A kernel as a bootloader loads it: what is in it."""

import lzma
import re
import zlib
from contextlib import suppress
from itertools import islice

_VERSION = re.compile(rb"Linux version (\d{1,3}\.\d{1,3}[!-~]{0,57}) ")
"""Source: Linux, init/version.c; it has up to 64 characters (include/uapi/linux/utsname.h)."""

_X86 = b"HdrS"  # at 0x202. Source: Linux, Documentation/arch/x86/boot.rst
_PACKED = re.compile(rb"\x1f\x8b\x08|\xfd7zXZ\0")
_LARGEST = 256 << 20  # [B] of an unpacked kernel
_TRIES = 8  # of what looks as if something packed began there; by chance, one in 16 MiB
_MEMORY = 512 << 20  # [B] for a dictionary of xz. Source: Linux, scripts/xz_wrap.sh (128 MiB)


def kernel_version(data: bytes) -> str:
    """What a kernel calls itself, such as ``6.1.0-50-arm64``; empty if it cannot be found."""
    if data[0x202:0x206] == _X86:
        at = int.from_bytes(data[0x20E:0x210], "little") + 0x200
        return data[at : at + 128].split(b" ")[0].split(b"\0")[0].decode("ascii", "replace")
    return version_of(unpacked(data))


def version_of(image: bytes) -> str:
    """The version of an unpacked kernel; empty if it has none."""
    found = _VERSION.search(image)
    return found[1].decode("ascii", "replace") if found else ""


def unpacked(data: bytes) -> bytes:
    """The kernel itself, out of a compressed or self-extracting one; empty if it is not found."""
    if _VERSION.search(data):
        return data
    for match in islice(_PACKED.finditer(data), _TRIES):
        image, packed = b"", data[match.start() :]
        with suppress(zlib.error, lzma.LZMAError, EOFError):
            if match[0][:1] == b"\x1f":
                image = zlib.decompressobj(31).decompress(packed, _LARGEST)
            else:
                image = lzma.LZMADecompressor(memlimit=_MEMORY).decompress(packed, _LARGEST)
        if _VERSION.search(image):
            return image
    return b""
