# SPDX-License-Identifier: Apache-2.0
"""A board as its description has it, checked: no value in it is impossible."""

from dataclasses import dataclass, field
from typing import Literal

from ota_artifact.layout import Area, Layout, TableKind
from ota_board.layout import Wish, plan

Arch = Literal["arm64", "armhf", "amd64"]
"""Debian's names."""

BootloaderKind = Literal["u-boot", "grub"]
EnvironmentKind = Literal["raw", "grub"]
KernelFormat = Literal["plain", "gzip"]
Armer = Literal["u-boot", "kernel", "nobody"]
Stopper = Literal["kernel", "nobody"]
Disk = Literal["sd", "sdhci", "virtio"]
Network = Literal["virtio", "usb"]

SLOTS = ("A", "B")
"""The slots, in the order of their partitions."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A part of the disk that a ROM or a bootloader reads directly.

    Attributes:
        offset: its first byte [B].
        size: its length [B].
    """

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The disk.

    Attributes:
        size: of the image [B]; a card may be larger.
        device: on the running system.
        alignment: of each partition [B].
        grows: the board exists only in QEMU, so slots and disk can be as large as an image needs.
    """

    size: int
    device: str
    table: TableKind
    alignment: int
    reserved: tuple[Reserved, ...] = ()
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Extra:
    """A partition beyond boot, A, B and data.

    Attributes:
        label: filesystem label and, on GPT, partition name.
        size: length [B].
    """

    label: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """The sizes of the partitions, in bytes [B].

    Attributes:
        start: the first byte that a partition may take.
        slot: length of A, and of B too.
    """

    start: int
    boot: int
    slot: int
    data: int
    extra: tuple[Extra, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the bootloader keeps its state.

    Attributes:
        kind: ``raw``, two copies on the disk, outside the partitions; ``grub``, two files on the
            boot partition.
        offsets: of the copies [B]; empty for files.
        size: of one copy [B].
    """

    kind: EnvironmentKind
    offsets: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootloader:
    """What starts the kernel.

    Attributes:
        defconfig: of U-Boot; empty for GRUB.
        addresses: where U-Boot loads files to, by the name of its variable.
        mmc: U-Boot's number of the disk; None if it is the same as Linux's.
    """

    kind: BootloaderKind
    defconfig: str = ""
    addresses: dict[str, int] = field(default_factory=dict)
    mmc: int | None = None


@dataclass(frozen=True, slots=True)
class Firmware:
    """A file that runs before the slot does.

    Attributes:
        source: ``u-boot/<file>`` of the build, or ``<Debian package>/<file>``.
        path: on the boot partition; empty if it is written to an offset.
        offset: where it is written on the disk [B]; None if it is a file.
    """

    source: str
    path: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The kernel in a slot's /boot.

    Attributes:
        package: of Debian.
        format: plain, or compressed for U-Boot to unpack.
        drivers: modules that the initrd needs to reach the slot.
        modules: for the slot, of devices that no device tree names.
        left_out: modules of devices in the device trees that the slot does without, by the reason.
    """

    package: str
    format: KernelFormat
    drivers: tuple[str, ...]
    modules: tuple[str, ...] = ()
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Console:
    """The serial console.

    Attributes:
        device: Linux's name, such as ``ttyAMA0``.
        speed: [baud].
    """

    device: str
    speed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """The timer that resets a board that hangs.

    Attributes:
        driver: Linux's module; empty if the board has none.
        armed_by: what starts it first; ``nobody``: a kernel that hangs early stays hung.
        timeout: until it resets the board [s].
        stopped_by: ``kernel`` if Linux stops it while booting, until the initrd, or userspace if
            there is none, starts it again.
        parameter: of the driver, such as ``early_enable=1``, with which it starts the watchdog;
            empty if it needs none. On the kernel's command line, where the initrd finds it too.
    """

    driver: str
    armed_by: Armer
    timeout: int
    stopped_by: Stopper = "nobody"
    parameter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Qemu:
    """The machine that stands for the board in QEMU.

    Attributes:
        system: the suffix of the program qemu-system-….
        memory: [B].
        disk: how the machine sees the storage.
    """

    system: str
    machine: str
    cpu: str
    memory: int
    disk: Disk
    network: Network


@dataclass(frozen=True, slots=True)
class Yocto:
    """What Yocto builds for the board.

    Attributes:
        machine: its name there.
        settings: BitBake variables that the machine of another layer lacks, by name.
    """

    machine: str
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything that is particular to one board."""

    name: str
    summary: str
    device_types: tuple[str, ...]
    arch: Arch
    storage: Storage
    partitions: Partitions
    bootloader: Bootloader
    environment: Environment
    firmware: tuple[Firmware, ...]
    kernel: Kernel
    device_trees: tuple[str, ...]
    console: Console
    watchdog: Watchdog
    qemu: Qemu | None
    yocto: Yocto | None = None

    @property
    def layout(self) -> Layout:
        """Where everything is on its disk.

        Raises:
            LayoutError: the parts do not fit.
        """
        return plan_of(self.storage, self.partitions, self.environment)


def plan_of(storage: Storage, partitions: Partitions, environment: Environment) -> Layout:
    """The layout of a disk; data comes last, so that it can grow with the card.

    Raises:
        LayoutError: the parts do not fit.
    """
    return plan(
        size=storage.size,
        device=storage.device,
        table=storage.table,
        start=partitions.start,
        alignment=storage.alignment,
        partitions=(
            Wish("boot", partitions.boot),
            *(Wish(slot, partitions.slot) for slot in SLOTS),
            *(Wish(extra.label, extra.size) for extra in partitions.extra),
            Wish("data", partitions.data),
        ),
        fixed=(
            *(
                Area(kind="reserved", name=each.name, offset=each.offset, size=each.size)
                for each in storage.reserved
            ),
            *(
                Area(
                    kind="environment",
                    name=f"environment {number}",
                    offset=offset,
                    size=environment.size,
                )
                for number, offset in enumerate(environment.offsets, 1)
            ),
        ),
    )
