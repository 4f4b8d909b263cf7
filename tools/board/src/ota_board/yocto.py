# SPDX-License-Identifier: Apache-2.0
"""What Yocto's layer knows of a board: the file that a machine's configuration requires."""

import os
from collections.abc import Iterator
from pathlib import Path

from ota_artifact.size import MIB
from ota_board.board import Board
from ota_board.errors import BoardError
from ota_board.grow import with_slots

_INCLUDES = Path("conf", "machine", "include")
_OUR_BOARDS = "../../../../boards"  # as seen from meta-ota's own
_ROOM = 256 * MIB
"""A slot for what OpenEmbedded makes with systemd, where the disk grows [B].

The kernel, systemd with its hardware database, and Python alone are more than 128 MiB.
"""


def include_name(board: Board) -> str:
    """The file's name below conf/machine/include/."""
    return f"ota-{board.name}.inc"


def include_of(board: Board, folder: Path, layer: Path) -> tuple[Path, str]:
    """The file of a board in a layer, and what is to be in it.

    Args:
        folder: of the board, which has its name; the file says where that is.

    Raises:
        BoardError: Yocto does not build the board, the folder has another name, or the layer is
            none.
    """
    if folder.resolve().name != board.name:
        raise BoardError(
            f"{folder}: describes the board {board.name}, and BitBake looks for a folder of that"
            " name; rename one of them"
        )
    if not (layer / "conf" / "layer.conf").is_file():
        raise BoardError(f"{layer}: has no conf/layer.conf; name the top folder of a layer")
    boards = os.path.relpath(folder.resolve().parent, (layer / _INCLUDES).resolve())
    return layer / _INCLUDES / include_name(board), include(board, boards)


def include(board: Board, boards: str = _OUR_BOARDS) -> str:
    """The settings of a board, as BitBake reads them.

    ``OTA_SLOT_SIZE`` is in bytes, and has room for systemd on a board whose disk grows; a board's
    own settings come last and may change the others.

    Args:
        boards: the folder that has the board's own, as seen from the file's.

    Raises:
        BoardError: Yocto does not build the board.
    """
    if board.yocto is None:
        raise BoardError(f"{board.name}: has no 'yocto' in its board.yaml; add yocto.machine")
    kind = board.bootloader.kind
    own = board.yocto.settings
    lines = [
        f"# {board.summary}.",
        f"# Made by `ota-board render {board.name} --layer`: change its board.yaml instead.",
        # FILE_DIRNAME is that of this file, since := expands it here.
        f"OTA_BOARDS := \"${{@os.path.normpath('${{FILE_DIRNAME}}/{boards}')}}\"",
        *(_line(name, value) for name, value in _values(board) if name not in own),
        *(_line(name, value) for name, value in own.items()),
        *(_line(name, value) for name, value in _runqemu(board)),
        _line("MACHINEOVERRIDES:append", f":ota:ota-{kind}"),
    ]
    return "\n".join(lines) + "\n"


def _values(board: Board) -> Iterator[tuple[str, str]]:
    yield "OTA_BOARD", board.name
    yield "OTA_MACHINE", board.yocto.machine if board.yocto else ""
    yield "OTA_DEVICE_TYPES", " ".join(board.device_types)
    yield "OTA_BOOTLOADER", board.bootloader.kind
    yield "OTA_SLOT_SIZE", str(_slot(board))
    yield "OTA_FIRMWARE", " ".join(_firmware(board))
    yield "OTA_DEVICE_TREES", " ".join(board.device_trees)
    yield "OTA_CONSOLE", board.console.device


def _runqemu(board: Board) -> Iterator[tuple[str, str]]:
    """How Yocto's runqemu starts the disk image, for a machine that exists in QEMU alone.

    The machine's own settings come after this file, and have no override.
    """
    if board.qemu is None or not board.storage.grows:
        return
    is_card = board.qemu.disk == "sdhci"
    device = "sdhci-pci -device sd-card" if is_card else "virtio-blk-pci"
    yield "QB_DEFAULT_FSTYPE:ota", "sdimg"
    yield "QB_DEFAULT_KERNEL:ota", "none"
    if board.bootloader.kind == "u-boot":
        yield "QB_DEFAULT_BIOS:ota", "u-boot.bin"
    else:
        yield "EXTRA_IMAGEDEPENDS:append", " ovmf"
    yield "QB_MEM:ota", f"-m {board.qemu.memory >> 20}"
    yield (
        "QB_ROOTFS_OPT:ota",
        f"-drive if=none,id=disk,format=raw,file=@ROOTFS@ -device {device},drive=disk",
    )
    if board.watchdog.driver == "i6300esb":
        yield "QB_OPT_APPEND:append:ota", " -device i6300esb -action watchdog=reset"


def _slot(board: Board) -> int:
    """How large a slot is to be [B]."""
    grown = with_slots(board, _ROOM) if board.storage.grows else board
    return grown.layout.partition("A").size


def _firmware(board: Board) -> list[str]:
    """The firmware's files by their own names, each once."""
    return list(dict.fromkeys(each.source.rpartition("/")[2] for each in board.firmware))


def _line(name: str, value: str) -> str:
    return f'{name} = "{value}"'
