# SPDX-License-Identifier: Apache-2.0
"""Which nodes a node waits for: Linux probes a device only after the drivers of its suppliers.

Source: Linux, drivers/of/property.c, `of_supplier_bindings`.
"""

import re
from collections.abc import Iterator

from ota_image.hardware.device_tree import DeviceTree, Node

_CELLS = {
    "clocks": "#clock-cells",
    "dmas": "#dma-cells",
    "interconnects": "#interconnect-cells",
    "iommus": "#iommu-cells",
    "mboxes": "#mbox-cells",
    "io-channels": "#io-channel-cells",
    "power-domains": "#power-domain-cells",
    "phys": "#phy-cells",
    "pwms": "#pwm-cells",
    "resets": "#reset-cells",
    "hwlocks": "#hwlock-cells",
}
"""Properties that list suppliers with numbers of their own, and what says how many."""

_PLAIN = re.compile(r"pinctrl-\d+|nvmem-cells|mmc-pwrseq|interrupt-parent|.+-supply")
_GPIOS = re.compile(r"(.+-)?gpios?")


def needed(tree: DeviceTree, node: Node) -> tuple[Node, ...]:
    """The node, what it is part of and what supplies these, and so on; each that is a device."""
    found: dict[str, Node] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.path in found:
            continue
        found[each.path] = each
        waiting += [*tree.ancestors(each), *suppliers(tree, each)]
    return tuple(each for each in found.values() if each.compatible)


def suppliers(tree: DeviceTree, node: Node) -> Iterator[Node]:
    """The nodes that a node itself refers to as its suppliers."""
    for name in node.properties:
        cells = node.cells(name)
        if _PLAIN.fullmatch(name):
            yield from _there(tree, cells)
        elif name in _CELLS:
            yield from _listed(tree, cells, _CELLS[name])
        elif _GPIOS.fullmatch(name) and not name.endswith("nr-gpios"):
            yield from _listed(tree, cells, "#gpio-cells")


def _listed(tree: DeviceTree, cells: tuple[int, ...], count: str) -> Iterator[Node]:
    """Those of a list of numbers of nodes, each followed by as many cells as the node says."""
    at = 0
    while at < len(cells):
        supplier = tree.referred(cells[at])
        if supplier is not None:
            yield supplier
        at += 1 + (supplier.cells(count) or (0,))[0] if supplier else 1


def _there(tree: DeviceTree, cells: tuple[int, ...]) -> Iterator[Node]:
    for cell in cells:
        if (supplier := tree.referred(cell)) is not None:
            yield supplier
