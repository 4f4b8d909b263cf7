# SPDX-License-Identifier: Apache-2.0
"""Sizes as text."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
"""Binary units by name [B], in ascending order."""


def format_size(size: int) -> str:
    """A size [B] in the largest unit that divides it."""
    for unit, factor in reversed(UNITS.items()):
        if size % factor == 0 and size:
            return f"{size // factor} {unit}"
    return f"{size} B"
