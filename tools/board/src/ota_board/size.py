# SPDX-License-Identifier: Apache-2.0
"""Sizes as they are written in a board's description."""

import re

from ota_board.errors import BoardError

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

_UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
_SIZE = re.compile(r"([0-9]+) ?(B|KiB|MiB|GiB)")


def parse_size(text: str) -> int:
    """A size such as ``128 MiB`` or ``0x20000`` [B].

    Raises:
        BoardError: the text has another form. Decimal units (MB) are refused, since most who write
            them mean binary ones.
    """
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return int(text, 16)
    match = _SIZE.fullmatch(text)
    if not match:
        raise BoardError(f"{text!r} is not a size; write it as '256 MiB' or '0x20000'")
    return int(match[1]) * _UNITS[match[2]]


def format_size(size: int) -> str:
    """A size [B], written in the largest unit that divides it."""
    for unit, factor in reversed(_UNITS.items()):
        if size % factor == 0 and size:
            return f"{size // factor} {unit}"
    return f"{size} B"
