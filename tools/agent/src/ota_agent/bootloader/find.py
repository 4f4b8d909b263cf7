# SPDX-License-Identifier: Apache-2.0
"""Which bootloader this device has, and from where it boots, by its configuration."""

from pathlib import Path

from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.boot import Boot
from ota_agent.device.block import node_of, number_of
from ota_agent.device.options import DeviceOptions
from ota_agent.device.slots import Slot, Slots, read_slots
from ota_agent.errors import AgentError
from ota_artifact.device_files import FW_ENV_CONFIG, GRUB_CONFIG

U_BOOT = Path(FW_ENV_CONFIG)
"""libubootenv's configuration."""
GRUB = Path(GRUB_CONFIG)
"""That of Mender's tools for GRUB's environment."""


def find_bootloader(options: DeviceOptions, offsets: tuple[int, ...]) -> Bootloader:
    """The bootloader that is configured, or found; the others' code is not loaded.

    Args:
        offsets: where the layout has U-Boot's environment [B]; () if it does not say.

    Raises:
        AgentError: there is none, or none is configured.
    """
    named = Path(options.environment) if options.environment else None
    kind = options.bootloader
    if kind == "auto":
        kind = "grub" if not U_BOOT.exists() and GRUB.exists() else "u-boot"
    match kind:
        case "u-boot":
            from ota_agent.bootloader.u_boot import UBoot

            return UBoot(named or U_BOOT, offsets)
        case "grub":
            from ota_agent.bootloader.grub import find_grub

            return find_grub(named or GRUB)
        case _ if named:
            from ota_agent.bootloader.file import File

            return File(named)
    raise AgentError('the bootloader "file" needs the path of its file: set environment, too')


def boot_of(options: DeviceOptions) -> Boot | None:
    """The slots and the bootloader; None if this device has no slots.

    Raises:
        AgentError: the layout or the bootloader's configuration is damaged.
    """
    if options.slot_a and options.slot_b:
        slots = _named(options)
    elif options.layout.exists():
        slots = read_slots(options.layout)
    elif one := options.slot_a or options.slot_b:
        missing = "slot_b (RootfsPartB)" if options.slot_a else "slot_a (RootfsPartA)"
        raise AgentError(f"[device]: {one} is one slot, and {missing} is not set; set both")
    else:
        return None
    bootloader = find_bootloader(options, slots.environment)

    def running() -> Slot:
        return slots.of(options.running) if options.running else slots.running()

    return Boot(slots, running, bootloader)


def _named(options: DeviceOptions) -> Slots:
    """The slots as the configuration names them; the layout adds where the environment is."""
    a, b = node_of(options.slot_a), node_of(options.slot_b)
    if a.resolve() == b.resolve():
        raise AgentError(f"slot_a and slot_b are both {a.resolve()}; name the two slots")
    if options.layout.exists():
        found = read_slots(options.layout)
        numbers, environment = (found.a.number, found.b.number), found.environment
    else:
        numbers, environment = (number_of(a), number_of(b)), ()
    return Slots(Slot("A", a, numbers[0]), Slot("B", b, numbers[1]), environment)
