# SPDX-License-Identifier: Apache-2.0
"""GRUB's part of the contract: its configuration, its two environment files, and a slot's entry.

The files themselves are those of `ota_artifact.grub_block`.
"""

import re

from ota_artifact import grub_block
from ota_artifact.boot_logic import CURRENT
from ota_artifact.contract import COUNT, GOOD, LIMIT, PART, TRIAL
from ota_artifact.layout import node_base
from ota_board.board import SLOTS, Board
from ota_board.places import TEMPLATES, data_folder
from ota_board.template import fill_in

FOLDER = "/grub-mender-grubenv"
"""Of the state, on the boot partition."""

COPIES = tuple(f"{FOLDER}/{name}" for name in grub_block.COPIES)
"""The folder of each copy; the first is read, the second is written first."""

LAST = f"{FOLDER}/{grub_block.LAST}"
"""The block for the case that both copies are lost."""

APART = (*COPIES, LAST)
"""What must not share a block, or what a card erases at once, with each other or anything else."""

DISTANCE = 256 << 10
"""How far apart these are at least [B]: a card garbles up to 128 KiB around a write that is cut."""

CONFIGURATIONS = ("/EFI/debian/grub.cfg", "/EFI/BOOT/grub.cfg")
"""Where Debian's GRUB looks for its configuration, on the partition that it started from."""

PROGRAM = "/EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts from a disk without a boot entry of its own. Source: UEFI 2.10, 3.5.1.1."""

ENTRY = "/boot/grub/ota.env"
"""What the boot logic reads from a slot: kernel, initrd and arguments, as a block of any size."""

KERNEL, INITRD = "/boot/vmlinuz", "/boot/initrd.img"
"""Where the builders of images put them in a slot."""

_MOUNT = "/boot/firmware"
_SERIAL = re.compile(r"ttyS(\d+)")


def factory_state(board: Board) -> dict[str, str]:
    """What the environment holds in the factory: slot A, which is good, and no trial."""
    return {
        COUNT: "0",
        LIMIT: "1",
        PART: str(board.layout.partition(SLOTS[0]).number),
        TRIAL: "0",
        GOOD["A"]: "1",
        GOOD["B"]: "0",
    }


def boot_files(board: Board) -> dict[str, bytes]:
    """What GRUB needs on the boot partition in addition to its program, by path there.

    Raises:
        OSError: the boot logic cannot be read.
    """
    state = grub_block.encode_copy(factory_state(board))
    files = {f"{folder}/{name}": data for folder in COPIES for name, data in state.items()}
    files[LAST] = grub_block.encode_block({grub_block.LAST: factory_state(board)[PART]})
    return {**dict.fromkeys(CONFIGURATIONS, configuration(board).encode()), **files}


def configuration(board: Board) -> str:
    """GRUB's configuration: the settings of the board, then the boot logic that all boards share.

    Raises:
        OSError: the boot logic cannot be read.
    """
    port = _SERIAL.fullmatch(board.console.device)
    return fill_in(
        data_folder("bootloader") / "grub" / "ota.cfg.j2",
        board=board,
        slots=SLOTS,
        linux=node_base(board.storage.device),
        number=CURRENT,
        serial=port[1] if port else "",
    )


def entry(
    board: Board,
    kernel: str = KERNEL,
    initrd: str = INITRD,
    console: str = "",
) -> str:
    """The entry that GRUB reads: kernel, initrd and arguments; the boot logic adds the root device.

    Args:
        kernel: its path in the slot.
        initrd: its path in the slot; empty for no initrd.
        console: Linux's name of the console, if this kernel's differs from the board's.
    """
    return fill_in(
        TEMPLATES / "ota.env.j2",
        board=board,
        kernel=kernel,
        initrd=initrd,
        console=console or board.console.device,
    )


def mender_config() -> str:
    """The text of /etc/mender_grubenv.config: where Mender's tools find the state."""
    return f"ENV_DIR = {_MOUNT}{FOLDER}\n"
