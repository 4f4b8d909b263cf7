# SPDX-License-Identifier: Apache-2.0
"""What this device boots, and from where, by its configuration."""

import re
from pathlib import Path

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.find import find_bootloader
from ota_agent.device.options import DeviceOptions
from ota_agent.device.slots import Slot, Slots, read_slots
from ota_agent.errors import AgentError


def boot_of(options: DeviceOptions) -> Boot | None:
    """The slots and the bootloader; None if this device has no slots.

    Raises:
        AgentError: the layout or the bootloader's configuration is damaged.
    """
    slots = _slots(options)
    if slots is None:
        return None
    bootloader = find_bootloader(options, slots.environment)

    def running() -> Slot:
        return slots.of(options.running) if options.running else slots.running()

    return Boot(slots, running, bootloader)


def _slots(options: DeviceOptions) -> Slots | None:
    if options.slot_a and options.slot_b:
        return _named(options)
    return read_slots(options.layout) if options.layout.exists() else None


def _named(options: DeviceOptions) -> Slots:
    """The slots as the configuration names them; the layout adds where the environment is."""
    a, b = Path(options.slot_a), Path(options.slot_b)
    if options.layout.exists():
        found = read_slots(options.layout)
        numbers, environment = (found.a.number, found.b.number), found.environment
    else:
        numbers, environment = (_number(a), _number(b)), ()
    return Slots(Slot("A", a, numbers[0]), Slot("B", b, numbers[1]), environment)


def _number(node: Path) -> int:
    """The number of a partition, which its name ends with. Source: Mender's RootfsPartA."""
    match = re.search(r"(\d+)$", str(node.resolve()))
    if not match:
        raise AgentError(f"{node}: ends with no number; which partition is it?")
    return int(match[1])
