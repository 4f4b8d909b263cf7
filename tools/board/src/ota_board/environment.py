# SPDX-License-Identifier: Apache-2.0
"""U-Boot's environment as it is on the disk: two redundant copies, or one.

A copy starts with a CRC-32 (4 bytes, little-endian). In a redundant pair a flag byte follows, which
counts the writes. Then come ``name=value`` strings, each ended by a NUL, and one more NUL. The rest
is padding. The CRC covers the strings and the padding.

Source: U-Boot, include/env_internal.h (struct environment_s) and env/common.c (env_check_redund).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ota_board.errors import BoardError

_CRC = 4  # [B]


@dataclass(frozen=True, slots=True)
class Copy:
    """One valid copy.

    Attributes:
        variables: by name.
        flag: how often the pair was written, modulo 256; None for a single copy.
    """

    variables: dict[str, str]
    flag: int | None


def encode(variables: Mapping[str, str], size: int, *, flag: int | None) -> bytes:
    """A copy of ``size`` bytes [B], variables by name, padded with NULs.

    Args:
        flag: the counter of a redundant pair, 0 to 255; None for a single copy.

    Raises:
        BoardError: an environment cannot store a name or value, or has too little room.
    """
    lines = []
    for name, value in sorted(variables.items()):
        if not name or "=" in name or "\0" in name + value or not value:
            raise BoardError(f"environment: {name!r}={value!r} cannot be stored; leave it out")
        lines.append(f"{name}={value}\0".encode())
    head = b"" if flag is None else bytes((flag,))
    data = b"".join(lines) + b"\0"
    room = size - _CRC - len(head)
    if len(data) > room:
        raise BoardError(
            f"environment: the variables take {len(data)} B; there is room for {room} B"
        )
    data = data.ljust(room, b"\0")
    return zlib.crc32(data).to_bytes(_CRC, "little") + head + data


def decode(raw: bytes, *, is_redundant: bool) -> Copy | None:
    """What a copy holds; None if its CRC is wrong, as in a copy that was never written.

    A string without ``=`` is skipped, as U-Boot does.
    """
    start = _CRC + (1 if is_redundant else 0)
    if len(raw) <= start + 1:
        return None
    data = raw[start:]
    if zlib.crc32(data).to_bytes(_CRC, "little") != raw[:_CRC]:
        return None
    variables = {}
    for line in data.split(b"\0\0", 1)[0].split(b"\0"):
        name, equals, value = line.decode("utf-8", "replace").partition("=")
        if equals and name:
            variables[name] = value
    return Copy(variables, raw[_CRC] if is_redundant else None)


def newest(copies: Sequence[Copy | None]) -> int | None:
    """The index of the copy that U-Boot takes; None if neither is valid.

    Of two valid copies U-Boot takes the one with the higher flag, where 0 is higher than 255, and
    of two equal ones the first.
    """
    valid = [index for index, copy in enumerate(copies) if copy]
    if len(valid) < 2:
        return valid[0] if valid else None
    first, second = (copy.flag or 0 for copy in copies[:2] if copy)
    if (first, second) == (255, 0):
        return 1
    if (first, second) == (0, 255):
        return 0
    return 1 if second > first else 0
