# SPDX-License-Identifier: Apache-2.0
"""Sizes as they are written in a board's description."""

import re

from ota_artifact.size import UNITS
from ota_board.errors import BoardError

_SIZE = re.compile(r"([0-9]{1,20}) ?(B|KiB|MiB|GiB)")


def parse_size(text: str) -> int:
    """A size such as ``128 MiB`` or ``0x20000`` [B].

    Raises:
        BoardError: the text has another form. Decimal units (MB) are refused, since most who write
            them mean binary ones.
    """
    if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
        return int(text, 16)
    match = _SIZE.fullmatch(text)
    if not match:
        raise BoardError(f"{text!r} is not a size; write it as '256 MiB' or '0x20000'")
    return int(match[1]) * UNITS[match[2]]
