# SPDX-License-Identifier: Apache-2.0
"""Compares what a board's device trees ask for with the modules of a slot and of its initrd."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ota_artifact.finding import Finding, fault
from ota_image.hardware.consoles import known_drivers, port_of, stdout
from ota_image.hardware.device_tree import DeviceTree, Node
from ota_image.hardware.drivers import Drivers, module_name
from ota_image.hardware.suppliers import needed, suppliers

_HOSTS = ("mmc", "mmcnr", "sdhci", "sdhost")
_HOST_DRIVERS = "kernel/drivers/mmc/host/"
_MMC = re.compile(r"/dev/mmcblk(\d+)")
_RESTARTS = ("arm,psci", "syscon-reboot", "gpio-restart", "reg-reboot")
"""The start of what nodes are compatible with that reset a board without its watchdog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A slot and the hardware that it is to run on.

    Attributes:
        trees: the board's device trees, by the path of each in the slot.
        drivers: of the kernel.
        is_whole: the drivers are all that the kernel's package has; else only those of the slot.
        modules: in the slot.
        initrd: modules in the initrd; None: that is unknown.
        left_out: modules that the slot does without.
        storage: the disk, such as ``/dev/mmcblk0``.
        consoles: that the kernel's arguments name, such as ``ttyS0``.
        watchdog: its module; empty if Linux does not serve one.
    """

    trees: Mapping[str, DeviceTree]
    drivers: Drivers
    is_whole: bool
    modules: frozenset[str]
    initrd: frozenset[str] | None
    left_out: frozenset[str] = frozenset()
    storage: str = ""
    consoles: tuple[str, ...] = ()
    watchdog: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a comparison gives.

    Attributes:
        findings: hazards.
        notes: what could not be judged, and why.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Report:
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def devices(tree: DeviceTree) -> tuple[Node, ...]:
    """The nodes that are enabled and that a driver can take."""
    return tuple(
        each
        for path, each in tree.nodes.items()
        if path != "/" and each.compatible and tree.is_enabled(each)
    )


def wanted(tree: DeviceTree, drivers: Drivers) -> dict[str, Node]:
    """The modules that the nodes of a device tree ask for, each with the first that does."""
    found: dict[str, Node] = {}
    for node in devices(tree):
        for name in drivers.modules(node):
            found.setdefault(name, node)
    return found


def wanted_early(machine: Machine, tree: DeviceTree) -> dict[str, Node]:
    """The modules without which the slot's disk does not appear, each with a node that asks."""
    host = root_host(machine, tree)
    found: dict[str, Node] = {}
    for node in needed(tree, host) if host else ():
        if node is host or not machine.drivers.is_builtin(node):
            for name in machine.drivers.modules(node):
                found.setdefault(name, node)
    return found


def root_host(machine: Machine, tree: DeviceTree) -> Node | None:
    """The host of the disk's card: by its alias, else the only one that the initrd can drive."""
    match = _MMC.fullmatch(machine.storage)
    if match is None:
        return None
    by_alias = [node for node in hosts(machine, tree) if tree.number(node, "mmc") == int(match[1])]
    if by_alias or tree.aliased("mmc"):
        return by_alias[0] if by_alias else None
    early = _early_hosts(machine, tree)
    return early[0] if len(early) == 1 else None


def hosts(machine: Machine, tree: DeviceTree) -> tuple[Node, ...]:
    """The enabled hosts of cards."""
    return tuple(
        node
        for node in devices(tree)
        if node.name in _HOSTS
        or any(_is_host_driver(machine.drivers, name) for name in machine.drivers.modules(node))
    )


def judge(machine: Machine) -> Judged:
    """What is missing for the hardware, and what could not be judged."""
    report = _Report()
    if machine.trees and not machine.drivers.tables:
        report.notes.append(
            f"kernel {machine.drivers.version or 'of unknown version'}: cannot be unpacked, so what"
            " it drives without modules is not known"
        )
    for place, tree in machine.trees.items():
        if not tree.machine:
            report.notes.append(f"{place}: its root node has no compatible: it names no machine")
        _nodes(machine, place, tree, report)
        _network(machine, place, tree, report)
        _storage(machine, place, tree, report)
        _watchdog(machine, place, tree, report)
        _console(machine, place, tree, report)
    return Judged(tuple(dict.fromkeys(report.findings)), tuple(dict.fromkeys(report.notes)))


def _nodes(machine: Machine, place: str, tree: DeviceTree, report: _Report) -> None:
    """Each enabled node whose driver is a module needs it in the slot."""
    unknown = 0
    for node in devices(tree):
        mods = machine.drivers.modules(node)
        if not mods and not machine.drivers.is_builtin(node):
            unknown += 1
        known = machine.modules | machine.left_out
        if mods and not known & machine.drivers.all_modules(node):
            report.findings.append(_missing(place, node, mods))
    if not machine.is_whole and unknown:
        report.notes.append(
            f"{place}: {unknown} {'node has' if unknown == 1 else 'nodes have'} no driver in the"
            " slot; whether the kernel's package has"
            " modules for them is not known"
        )


def _missing(place: str, node: Node, modules: tuple[str, ...]) -> Finding:
    return fault(
        "device-without-driver",
        f"{place}: {node.path}",
        f"its driver {' or '.join(modules)} is a module that the slot lacks: the device does not"
        " work",
        "install the module with the kernel, or name it in kernel.left_out of the board, with the"
        " reason",
    )


def _network(machine: Machine, place: str, tree: DeviceTree, report: _Report) -> None:
    """The adapters that the device tree numbers, and their PHYs."""
    if not machine.drivers.tables:
        return
    for port in tree.aliased("ethernet"):
        if not tree.is_enabled(port):
            continue
        adapter = next((each for each in (port, *tree.ancestors(port)) if each.compatible), port)
        for node in dict.fromkeys((adapter.path, *(each.path for each in phys(tree, port)))):
            _one_of_network(machine, place, tree.nodes[node], port, report)


def _one_of_network(machine: Machine, place: str, node: Node, port: Node, report: _Report) -> None:
    if machine.drivers.is_builtin(node) or machine.drivers.all_modules(node):
        return  # if the module is not in the slot, that is reported already
    report.findings.append(
        fault(
            "network-without-driver",
            f"{place}: {node.path}",
            f"neither the kernel nor a module in the slot drives {' or '.join(node.compatible)}, so"
            f" {port.path} does not appear: no network",
            "install the module that drives it with the kernel",
        )
    )


def _storage(machine: Machine, place: str, tree: DeviceTree, report: _Report) -> None:
    match = _MMC.fullmatch(machine.storage)
    if match is None:
        if machine.storage:
            report.notes.append(f"{place}: says nothing of {machine.storage}")
        return
    if machine.initrd is None:
        report.notes.append(f"{place}: the initrd cannot be read, so its modules are not known")
        return
    host = root_host(machine, tree)
    if host is None:
        report.findings.append(_no_host(machine, place, tree, int(match[1])))
        return
    for name, node in wanted_early(machine, tree).items():
        if not machine.initrd & machine.drivers.all_modules(node):
            report.findings.append(
                fault(
                    "initrd-without-driver",
                    f"{place}: {node.path}",
                    f"{name} drives it and is not in the initrd, and {machine.storage} needs it:"
                    " the kernel waits for its root device forever",
                    "add the module to the initrd",
                )
            )


def _no_host(machine: Machine, place: str, tree: DeviceTree, number: int) -> Finding:
    found = hosts(machine, tree)
    shown = ", ".join(each.path for each in found) or "none"
    if tree.aliased("mmc"):
        return fault(
            "storage-by-another-name",
            f"{place}: /aliases",
            f"no enabled host has the alias mmc{number}, and others have such aliases, so"
            f" {machine.storage} is not the card; hosts: {shown}",
            "name the disk by the number that the device tree gives to its host",
        )
    early = _early_hosts(machine, tree)
    if not early:
        return fault(
            "initrd-without-driver",
            f"{place}: {shown}",
            f"neither the kernel nor a module in the initrd drives a host of cards, so"
            f" {machine.storage} does not appear: the kernel waits for its root device forever",
            "add the module to the initrd, by kernel.drivers of the board",
        )
    return fault(
        "storage-by-luck",
        f"{place}: {', '.join(each.path for each in early)}",
        f"each has a driver before the slot is mounted and none has an alias, so the one that is"
        f" probed first becomes {machine.storage}",
        "leave all but one of their modules out of the initrd, by kernel.drivers of the board",
    )


def _watchdog(machine: Machine, place: str, tree: DeviceTree, report: _Report) -> None:
    """A board without firmware that resets it, such as a Raspberry Pi, has only its watchdog."""
    name = module_name(machine.watchdog)
    if not name or machine.initrd is None or name in machine.drivers.builtin | machine.initrd:
        return
    if machine.drivers.is_arm64 and not any(
        each.startswith(_RESTARTS) for node in devices(tree) for each in node.compatible
    ):
        report.findings.append(
            fault(
                "initrd-without-reset",
                f"{place}: {name}",
                "nothing else in the device tree resets the board, and only userspace loads it: a"
                " kernel that panics or an initrd that gives up before that halts until the power"
                " is cut, and nothing rolls back",
                "load it first in the initrd",
            )
        )


def _console(machine: Machine, place: str, tree: DeviceTree, report: _Report) -> None:
    node = stdout(tree)
    if node is None:
        report.notes.append(
            f"{place}: has no stdout-path, so nothing says which port the console is"
        )
        return
    port, number = port_of(node, machine.drivers), tree.number(node, "serial")
    others = known_drivers(node)
    if others and port is None and machine.drivers.tables and not machine.drivers.is_builtin(node):
        report.findings.append(
            fault(
                "console-without-driver",
                f"{place}: {node.path}",
                f"the kernel has no driver for {' or '.join(node.compatible)}, which would be"
                f" {' or '.join(others)}: after the bootloader nothing appears on the console",
                "use a kernel with the driver built in",
            )
        )
        return
    if port is None or number is None:
        why = "has no alias" if port else "no driver is known for it"
        report.notes.append(f"{place}: {node.path}: {why}, so Linux's name of it is not known")
        return
    name = f"{port.stem}{number}"
    if port.driver not in machine.drivers.builtin:
        report.findings.append(
            fault(
                "console-without-driver",
                f"{place}: {node.path}",
                f"{port.driver} is a module: the kernel shows nothing on the console until it is"
                " loaded",
                "use a kernel with the driver built in",
            )
        )
    if machine.consoles and name not in machine.consoles:
        report.findings.append(
            fault(
                "console-without-port",
                f"{place}: {node.path}",
                f"console={' and '.join(machine.consoles)}, and this kernel's {port.driver} calls"
                f" the port {name}: after the bootloader nothing appears on it, and nobody can log"
                " in there",
                f"write console={name}; it is console.device of the board",
            )
        )


def phys(tree: DeviceTree, node: Node) -> tuple[Node, ...]:
    """The nodes that a port or adapter names as its PHYs, without those of the bus."""
    if not node.cells("phys"):
        return ()
    only = Node(node.path, {"phys": node.properties["phys"]})
    return tuple(each for each in suppliers(tree, only) if each.compatible)


def _early_hosts(machine: Machine, tree: DeviceTree) -> list[Node]:
    """The hosts that have a driver before the slot is mounted."""
    there = machine.initrd or frozenset()
    return [
        node
        for node in hosts(machine, tree)
        if machine.drivers.is_builtin(node) or there & machine.drivers.all_modules(node)
    ]


def _is_host_driver(drivers: Drivers, name: str) -> bool:
    return drivers.paths.get(name, "").startswith(_HOST_DRIVERS)
