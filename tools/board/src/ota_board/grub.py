# SPDX-License-Identifier: Apache-2.0
"""GRUB's part of the contract: its configuration, its two environment files, and a slot's entry.

The files themselves are those of `ota_artifact.grub_block`.
"""

import re
from collections.abc import Sequence

from ota_artifact import grub_block
from ota_board.board import SLOTS, Board
from ota_board.layout import node_base
from ota_board.places import data_folder

FOLDER = "/grub-mender-grubenv"
"""Of the state, on the boot partition."""

COPIES = tuple(f"{FOLDER}/{name}" for name in grub_block.COPIES)
"""The folder of each copy; the first is read, the second is written first."""

CONFIGURATIONS = ("/EFI/debian/grub.cfg", "/EFI/BOOT/grub.cfg")
"""Where Debian's GRUB looks for its configuration, on the partition that it was started from."""

PROGRAM = "/EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts from a disk that it does not know. Source: UEFI 2.10, 3.5.1.1."""

ENTRY = "/boot/grub/ota.env"
"""What the boot logic reads of a slot: kernel, initrd and arguments, as a block of any size."""

MENDER_CONFIG = "mender_grubenv.config"
"""Name in /etc of what tells Mender's tools, and an agent, where the state is."""

_MOUNT = "/boot/firmware"
_SERIAL = re.compile(r"ttyS(\d+)")


def factory_state(board: Board) -> dict[str, str]:
    """What the environment holds from the factory on: slot A, no trial."""
    return {
        "bootcount": "0",
        "bootlimit": "1",
        "mender_boot_part": str(board.layout.partition(SLOTS[0]).number),
        "upgrade_available": "0",
    }


def boot_files(board: Board) -> dict[str, bytes]:
    """What GRUB needs on the boot partition beside its program, by path there.

    Raises:
        OSError: the boot logic cannot be read.
    """
    state = grub_block.encode_copy(factory_state(board))
    files = {f"{folder}/{name}": data for folder in COPIES for name, data in state.items()}
    return {**dict.fromkeys(CONFIGURATIONS, configuration(board).encode()), **files}


def configuration(board: Board) -> str:
    """GRUB's configuration: what is the board's own, then the boot logic that all share.

    Raises:
        OSError: the boot logic cannot be read.
    """
    logic = (data_folder("bootloader") / "grub" / "ota.cfg").read_text("utf-8")
    settings = [
        *(f"set ota_{slot.lower()}={board.layout.partition(slot).number}" for slot in SLOTS),
        f"set ota_linux={node_base(board.storage.device)}",
        *_terminal(board),
    ]
    return "\n".join((f"# {board.name}", *settings, "", logic))


def entry(
    board: Board,
    kernel: str = "/boot/vmlinuz",
    initrd: str = "/boot/initrd.img",
    console: str = "",
) -> str:
    """A slot's own: kernel, initrd and arguments; the boot logic adds the root device.

    Args:
        kernel: its path in the slot.
        initrd: its path in the slot; empty if there is none.
        console: Linux's name of the console, where another kernel calls it otherwise.
    """
    tty = f"console={console or board.console.device},{board.console.speed}"
    loaded = f"initrd={initrd}\n" if initrd else ""
    arguments = f"rootwait ro {tty} panic=10 loglevel=5"
    return f"{grub_block.SIGNATURE}kernel={kernel}\n{loaded}arguments={arguments}\n"


def mender_config() -> str:
    """Tells Mender's tools where the state is, in /etc/mender_grubenv.config."""
    return f"ENV_DIR = {_MOUNT}{FOLDER}\n"


def _terminal(board: Board) -> Sequence[str]:
    """GRUB speaks where the kernel does; if there is no such port, where the firmware does."""
    match = _SERIAL.fullmatch(board.console.device)
    if match is None:
        return ()
    return (
        f"if serial --unit={match[1]} --speed={board.console.speed}; then",
        "	terminal_output serial",
        "fi",
    )
