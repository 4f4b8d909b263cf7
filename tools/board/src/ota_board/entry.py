# SPDX-License-Identifier: Apache-2.0
"""A slot's boot entry: its kernel, its device tree and the kernel's arguments.

The bootloader reads it from the slot, so it rolls back with the slot.
"""

from ota_board import grub
from ota_board.board import Board
from ota_board.places import TEMPLATES
from ota_board.template import fill_in

EXTLINUX = "/boot/extlinux/extlinux.conf"
"""Where U-Boot's ``sysboot`` looks in a slot."""


def entry_path(board: Board) -> str:
    """The path of the entry in a slot of the board."""
    return EXTLINUX if board.bootloader.kind == "u-boot" else grub.ENTRY


def entry(board: Board, kernel: str, *, initrd: str = "", console: str = "") -> str:
    """The boot entry of a slot, in the form that the board's bootloader reads.

    Args:
        kernel: its path in the slot.
        initrd: its path in the slot; empty for no initrd.
        console: Linux's name of the console, if this kernel's differs from the board's.
    """
    if board.bootloader.kind == "grub":
        return grub.entry(board, kernel, initrd, console)
    return extlinux(board, kernel, initrd, console)


def extlinux(
    board: Board,
    kernel: str = grub.KERNEL,
    initrd: str = grub.INITRD,
    console: str = "",
) -> str:
    """The entry that U-Boot's ``sysboot`` reads: files in the slot, and the kernel's arguments."""
    return fill_in(
        TEMPLATES / "extlinux.conf.j2",
        board=board,
        kernel=kernel,
        initrd=initrd,
        console=console or board.console.device,
    )
