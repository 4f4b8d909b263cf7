# SPDX-License-Identifier: Apache-2.0
"""Reads a flattened device tree.

Libraries for it exist as C with SWIG, which each installation of this package would compile.

Source: Devicetree Specification v0.4, chapters 2 (properties) and 5 (the flattened form).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ota_image.errors import ImageError

MAGIC = b"\xd0\x0d\xfe\xed"
"""The first bytes of each."""

_OLDEST = 16  # the version of the form that readers of version 17 read too
_BEGIN, _END, _PROPERTY, _NOP, _LAST = 1, 2, 3, 4, 9
_DEEPEST = 64
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
        return tuple(each.decode("utf-8", "replace") for each in value.split(b"\0") if each)

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
        for alias, path in self._aliases.items():
            digits = alias.removeprefix(stem)
            if path == node.path and digits != alias and digits.isdecimal():
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
    if size > len(data):
        raise ImageError(f"is a device tree that is cut off at {len(data)} of {size} B")
    if oldest > _OLDEST:
        raise ImageError(f"is a device tree of version {oldest}, and we read {_OLDEST} and 17")
    try:
        nodes = dict(_nodes(data[:size], struct_at, strings_at))
    except (struct.error, ValueError) as error:
        raise ImageError("is a damaged device tree") from error
    if "/" not in nodes:
        raise ImageError("is a device tree without a root node")
    return DeviceTree(nodes)


def _nodes(data: bytes, at: int, strings: int) -> Iterator[tuple[str, Node]]:
    """Each node by its path.

    Raises:
        ValueError: the parts do not follow each other as they must.
        struct.error: it is cut off.
    """
    way: list[str] = []
    properties: dict[str, bytes] = {}
    while True:
        token, at = _CELL.unpack_from(data, at)[0], at + 4
        if token == _BEGIN:
            end = data.index(b"\0", at)
            name = data[at:end].decode("utf-8")
            way.append(name if way else "")
            if len(way) > _DEEPEST or (len(way) > 1 and not name):
                raise ValueError("a node is too deep, or has no name")
            at = _aligned(end + 1)
            properties = {}
            path = "/".join(way) or "/"
            yield path, Node(path, properties)
        elif token == _PROPERTY:
            length, offset = struct.unpack_from(">2I", data, at)
            if not way or at + 8 + length > len(data):
                raise ValueError("a property is outside the tree")
            begin = strings + offset
            name = data[begin : data.index(b"\0", begin)].decode("utf-8")
            properties[name] = data[at + 8 : at + 8 + length]
            at = _aligned(at + 8 + length)
        elif token == _END and way:
            way.pop()
            properties = {}
        elif token == _LAST and not way:
            return
        elif token != _NOP:
            raise ValueError(f"token {token}")


def _aligned(at: int) -> int:
    return -(-at // 4) * 4
