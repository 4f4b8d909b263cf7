# SPDX-License-Identifier: Apache-2.0
"""What Yocto's layer knows of a board: the file that a machine's configuration requires."""

from collections.abc import Iterator

from ota_board.board import Board
from ota_board.errors import BoardError


def include_name(board: Board) -> str:
    """The file's name below conf/machine/include/."""
    return f"ota-{board.name}.inc"


def include(board: Board) -> str:
    """The settings of a board, as BitBake reads them.

    ``OTA_SLOT_SIZE`` is in bytes; a board's own settings come last and may change the others.

    Raises:
        BoardError: Yocto does not build the board.
    """
    if board.yocto is None:
        raise BoardError(f"{board.name}: has no 'yocto' in its board.yaml; add yocto.machine")
    kind = board.bootloader.kind
    own = board.yocto.settings
    lines = [
        f"# {board.summary}.",
        f"# Made by `ota-board render {board.name}`: change its board.yaml instead.",
        *(_line(name, value) for name, value in _values(board) if name not in own),
        *(_line(name, value) for name, value in own.items()),
        _line("MACHINEOVERRIDES:append", f":ota:ota-{kind}"),
    ]
    return "\n".join(lines) + "\n"


def _values(board: Board) -> Iterator[tuple[str, str]]:
    yield "OTA_BOARD", board.name
    yield "OTA_MACHINE", board.yocto.machine if board.yocto else ""
    yield "OTA_DEVICE_TYPES", " ".join(board.device_types)
    yield "OTA_BOOTLOADER", board.bootloader.kind
    yield "OTA_SLOT_SIZE", str(board.layout.partition("A").size)
    yield "OTA_FIRMWARE", " ".join(_firmware(board))
    yield "OTA_DEVICE_TREES", " ".join(board.device_trees)
    yield "OTA_CONSOLE", board.console.device


def _firmware(board: Board) -> list[str]:
    """The firmware's files by their own names, each once."""
    return list(dict.fromkeys(each.source.rpartition("/")[2] for each in board.firmware))


def _line(name: str, value: str) -> str:
    return f'{name} = "{value}"'
