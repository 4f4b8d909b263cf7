# SPDX-License-Identifier: Apache-2.0
"""U-Boot's environment as it stands on the disk: two redundant copies, or one.

A copy is the CRC-32 of what follows its header (4 bytes, little-endian), in a redundant pair a flag
byte that counts the writes, then ``name=value`` strings, each ended by a NUL, then one more NUL;
the rest is padding, which the CRC covers.

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
        flag: how often the pair was written, modulo 256; None in a single copy.
    """

    variables: dict[str, str]
    flag: int | None


def encode(variables: Mapping[str, str], size: int, *, flag: int | None) -> bytes:
    """A copy of ``size`` bytes [B], variables by name, padded with NULs.

    Args:
        flag: the counter of a redundant pair, 0 to 255; None for a single copy.

    Raises:
        BoardError: a name or value that cannot stand in an environment, or too many of them.
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
        raise BoardError(f"environment: {len(data)} B of variables; {room} B have room")
    data = data.ljust(room, b"\0")
    return zlib.crc32(data).to_bytes(_CRC, "little") + head + data


def decode(raw: bytes, *, is_redundant: bool) -> Copy | None:
    """What a copy holds; None if its CRC is wrong, as that of a copy that was never written.

    A string without ``=``, and one that is no UTF-8, is passed over, as U-Boot does with the first.
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
    """The index of the copy that U-Boot takes; None if none is valid.

    Of two valid ones it is that with the higher flag, 0 being higher than 255; of two equal ones
    the first.
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
