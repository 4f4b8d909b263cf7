# SPDX-License-Identifier: Apache-2.0
"""Flattened device trees that no compiler writes."""

import struct

NAMES = b"compatible\0status\0"
END = b"\0\0\0\2"


def begin(name: bytes) -> bytes:
    """The begin of a node. Source: Devicetree Specification v0.4, 5.4.1."""
    return b"\0\0\0\1" + name + b"\0" + bytes(-(len(name) + 1) % 4)


def value(data: bytes, offset: int = 0) -> bytes:
    """A property, whose name is at that offset of the names."""
    return struct.pack(">3I", 3, len(data), offset) + data + bytes(-len(data) % 4)


def flattened(content: bytes, names: bytes = NAMES) -> bytes:
    """A device tree of that content, which ends as it should."""
    content += b"\0\0\0\x09"
    at = 40 + len(content)
    head = (0xD00DFEED, at + len(names), 40, at, 40, 17, 16, 0, len(names), len(content))
    return struct.pack(">10I", *head) + content + names


def below_root(content: bytes, names: bytes = NAMES) -> bytes:
    """One with that content in its root."""
    return flattened(begin(b"") + content + END, names)
