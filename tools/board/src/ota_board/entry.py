# SPDX-License-Identifier: Apache-2.0
"""A slot's own boot entry: which kernel, which device tree, which arguments.

The bootloader reads it from the slot, so that it rolls back with the slot.
"""

from ota_board import grub
from ota_board.board import Board

EXTLINUX = "/boot/extlinux/extlinux.conf"
"""Where U-Boot's ``sysboot`` looks in a slot."""


def entry_path(board: Board) -> str:
    """Where a slot of the board has its entry."""
    return EXTLINUX if board.bootloader.kind == "u-boot" else grub.ENTRY


def entry(board: Board, kernel: str, *, initrd: str = "", console: str = "") -> str:
    """The entry of a slot, as the board's bootloader reads it.

    Args:
        kernel: its path in the slot.
        initrd: its path in the slot; empty if there is none.
        console: Linux's name of the console, where another kernel calls it otherwise.
    """
    if board.bootloader.kind == "grub":
        return grub.entry(board, kernel, initrd, console)
    return extlinux(board, kernel, initrd, console)


def extlinux(
    board: Board,
    kernel: str = "/boot/vmlinuz",
    initrd: str = "/boot/initrd.img",
    console: str = "",
) -> str:
    """What U-Boot's ``sysboot`` reads: files of the slot, and the kernel's arguments.

    U-Boot puts in ``mender_kernel_root``, the slot's device. Without a device tree of the board's
    it takes what ``fdt_addr`` says, which is QEMU's.
    """
    lines = ["default slot", "label slot", f"  kernel {kernel}"]
    if initrd:
        lines.append(f"  initrd {initrd}")
    if len(board.device_trees) == 1:
        lines.append(f"  fdt /boot/dtbs/{board.device_trees[0]}")
    elif board.device_trees:
        lines.append("  fdtdir /boot/dtbs")  # and there ${fdtfile}, which says which board it is
    tty = f"console={console or board.console.device},{board.console.speed}"
    lines.append(f"  append root=${{mender_kernel_root}} rootwait ro {tty} panic=10 loglevel=5")
    return "\n".join(lines) + "\n"
