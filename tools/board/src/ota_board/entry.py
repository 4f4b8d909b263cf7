# SPDX-License-Identifier: Apache-2.0
"""A slot's own boot entry: which kernel, which device tree, which arguments.

The bootloader reads it from the slot, so that it rolls back with the slot.
"""

from ota_board import grub
from ota_board.board import Board
from ota_board.places import TEMPLATES
from ota_board.template import fill_in

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
    """What U-Boot's ``sysboot`` reads: files of the slot, and the kernel's arguments."""
    return fill_in(
        TEMPLATES / "extlinux.conf.j2",
        board=board,
        kernel=kernel,
        initrd=initrd,
        console=console or board.console.device,
    )
