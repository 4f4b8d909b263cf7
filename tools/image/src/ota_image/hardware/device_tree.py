# SPDX-License-Identifier: Apache-2.0
"""Reads a flattened device tree.

Libraries for it exist as C with SWIG, which each installation of this package would compile.

Source: Devicetree Specification v0.4, chapters 2 (properties) and 5 (the flattened form).
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ota_image.errors import ImageError

MAGIC = b"\xd0\x0d\xfe\xed"
"""The first bytes of each."""

LARGEST = 2 << 20
"""How large one may be [B]. Source: Linux, Documentation/arch/arm64/booting.rst."""

_OLDEST = 16  # the version of the form that readers of version 17 read too
_BEGIN, _END, _PROPERTY, _NOP, _LAST = 1, 2, 3, 4, 9
_DEEPEST = 64  # Source: Linux, drivers/of/fdt.c, FDT_MAX_DEPTH
_NAME = re.compile(rb"([!-.0-~]{1,127})\0")  # most have up to 31 characters
_PATHS = 16 << 20  # [characters] of all paths: a small file can have many long ones
_MOST_DIGITS = 9
_HEADER = struct.Struct(">10I")
_CELL = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        path: such as ``/ocp/mmc@0``; ``/`` for the root.
        properties: raw, by name.
    """

    path: str
    properties: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """Without its address, such as ``mmc``."""
        return self.path.rpartition("/")[2].partition("@")[0]

    @property
    def compatible(self) -> tuple[str, ...]:
        """The devices that it is compatible with, the most specific one first."""
        return self.texts("compatible")

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a property; () if it lacks it."""
        value = self.properties.get(name, b"")
        return tuple(each.decode("ascii", "replace") for each in value.split(b"\0") if each)

    def cells(self, name: str) -> tuple[int, ...]:
        """The numbers of a property; () if it lacks it."""
        value = self.properties.get(name, b"")
        return tuple(each[0] for each in _CELL.iter_unpack(value[: len(value) // 4 * 4]))


class DeviceTree:
    """A device tree.

    Attributes:
        nodes: by path, each after its parent.
    """

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    @property
    def machine(self) -> str:
        """What the root says it is, such as ``ti,am335x-bone-black``; empty if it does not."""
        return next(iter(self.nodes["/"].compatible), "")

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Its parent, then that one's, up to the root."""
        path = node.path
        while path != "/":
            path = path.rpartition("/")[0] or "/"
            yield self.nodes[path]

    def is_enabled(self, node: Node) -> bool:
        """Whether it and all above it are there to be used."""
        return all(
            (each.texts("status") or ("okay",))[0] in ("okay", "ok")
            for each in (node, *self.ancestors(node))
        )

    def find(self, text: str) -> Node | None:
        """The node of a path or an alias, perhaps with options, such as ``serial0:115200n8``."""
        path = text.partition(":")[0]
        if not path.startswith("/"):
            alias, slash, rest = path.partition("/")
            path = self._aliases.get(alias, "") + slash + rest
        return self.nodes.get(path)

    def referred(self, phandle: int) -> Node | None:
        """The node that a number refers to."""
        return self._phandles.get(phandle)

    def number(self, node: Node, stem: str) -> int | None:
        """The number of its alias, such as 1 for ``mmc1`` and ``mmc``; None if it has none."""
        for alias in self._names.get(node.path, ()):
            digits = alias.removeprefix(stem)
            if digits != alias and digits.isdecimal() and len(digits) <= _MOST_DIGITS:
                return int(digits)
        return None

    def aliased(self, stem: str) -> tuple[Node, ...]:
        """The nodes with such an alias, in the order of their paths."""
        return tuple(node for node in self.nodes.values() if self.number(node, stem) is not None)

    @cached_property
    def _aliases(self) -> dict[str, str]:
        node = self.nodes.get("/aliases")
        return {name: "".join(node.texts(name)[:1]) for name in node.properties} if node else {}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """The aliases of each path."""
        found: dict[str, list[str]] = {}
        for alias, path in self._aliases.items():
            found.setdefault(path, []).append(alias)
        return found

    @cached_property
    def _phandles(self) -> dict[int, Node]:
        return {each.cells("phandle")[0]: each for each in self.nodes.values() if _has_number(each)}


def _has_number(node: Node) -> bool:
    return len(node.properties.get("phandle", b"")) == _CELL.size


def read_device_tree(data: bytes) -> DeviceTree:
    """The nodes of a flattened device tree.

    Raises:
        ImageError: it is not one, or it is damaged; the text says what is wrong.
    """
    try:
        _, size, struct_at, strings_at, _, _, oldest, *_ = _HEADER.unpack_from(data)
    except struct.error as error:
        raise ImageError("is not a device tree") from error
    if not data.startswith(MAGIC):
        raise ImageError("is not a device tree")
    if size > LARGEST:
        raise ImageError(f"is a device tree of {size} B, and a kernel takes {LARGEST} B at most")
    if size > len(data):
        raise ImageError(f"is a device tree that is cut off at {len(data)} of {size} B")
    if oldest > _OLDEST:
        raise ImageError(f"is a device tree of version {oldest}, and we read {_OLDEST} and 17")
    try:
        nodes = dict(_nodes(data[:size], struct_at, strings_at))
    except (struct.error, ValueError, IndexError) as error:
        raise ImageError("is a damaged device tree") from error
    if "/" not in nodes:
        raise ImageError("is a device tree without a root node")
    return DeviceTree(nodes)


def _nodes(data: bytes, at: int, strings: int) -> Iterator[tuple[str, Node]]:
    """Each node by its path.

    Raises:
        ValueError: the parts do not follow each other as they must, or are too many.
        struct.error, IndexError: it is cut off.
    """
    way: list[str] = []
    properties: dict[str, bytes] = {}
    paths = 0
    while True:
        token, at = _CELL.unpack_from(data, at)[0], at + 4
        if token == _BEGIN:
            name = _name(data, at) if way or data[at] else ""  # the root's is empty
            way.append(name if way else "")
            properties = {}
            path = "/".join(way) or "/"
            paths += len(path)
            if len(way) > _DEEPEST or paths > _PATHS:
                raise ValueError("it is too deep, or too large")
            at = _aligned(at + len(name) + 1)
            yield path, Node(path, properties)
        elif token == _PROPERTY:
            length, offset = struct.unpack_from(">2I", data, at)
            if not way or at + 8 + length > len(data):
                raise ValueError("a property is outside the tree")
            properties[_name(data, strings + offset)] = data[at + 8 : at + 8 + length]
            at = _aligned(at + 8 + length)
        elif token == _END and way:
            way.pop()
            properties = {}
        elif token == _LAST and not way:
            return
        elif token != _NOP:
            raise ValueError(f"token {token}")


def _name(data: bytes, at: int) -> str:
    """The name at an offset.

    Raises:
        ValueError: no node and no property is called so.
    """
    match = _NAME.match(data, at)
    if match is None:
        raise ValueError("a name is empty, too long, or has other characters than names have")
    return match[1].decode("ascii")


def _aligned(at: int) -> int:
    return -(-at // 4) * 4
