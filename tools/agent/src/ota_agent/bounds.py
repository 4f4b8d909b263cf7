# SPDX-License-Identifier: Apache-2.0
"""The numbers that an option may be, where others would have the agent spin, or fail for ever."""

import math
from dataclasses import Field, field
from typing import TypeVar

_Number = TypeVar("_Number", int, float)
_LEAST, _MOST = "least", "most"


def bounded(default: _Number, *, least: float = 0.0, most: float = math.inf) -> _Number:
    """A field of a dataclass of options that may only be set within these bounds."""
    found: _Number = field(default=default, metadata={_LEAST: least, _MOST: most})
    return found


def fault_of(option: "Field[object]", value: float) -> str:
    """Why a number is out of the option's bounds; empty if it is not."""
    least, most = option.metadata.get(_LEAST, 0), option.metadata.get(_MOST, math.inf)
    if value < least:
        return f"must be at least {least:g}"
    return f"must be at most {most:g}" if value > most else ""
