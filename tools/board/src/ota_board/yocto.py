# SPDX-License-Identifier: Apache-2.0
"""What the Yocto layer knows about a board: a file that the machine's configuration requires."""

import os
from collections.abc import Iterator
from pathlib import Path

from ota_artifact.size import MIB
from ota_board.board import Board
from ota_board.errors import BoardError
from ota_board.grow import with_slots
from ota_board.places import TEMPLATES
from ota_board.template import fill_in

_INCLUDES = Path("conf", "machine", "include")
_OUR_BOARDS = "../../../../boards"  # as seen from meta-ota's own
_ROOM = 256 * MIB
"""The slot of a board whose disk grows, for an image of OpenEmbedded with systemd [B].

The kernel, Python, and systemd with its hardware database take more than 128 MiB.
"""


def include_name(board: Board) -> str:
    """The name of the file in conf/machine/include/."""
    return f"ota-{board.name}.inc"


def include_of(board: Board, folder: Path, layer: Path) -> tuple[Path, str]:
    """The path of a board's file in a layer, and its text.

    Args:
        folder: of the board, which must have its name; the file says where it is.

    Raises:
        BoardError: Yocto does not build the board, the folder has another name, or the layer is
            not a layer.
    """
    if folder.resolve().name != board.name:
        raise BoardError(
            f"{folder}: describes the board {board.name}, and BitBake looks for a folder with that"
            " name; rename one of them"
        )
    if not (layer / "conf" / "layer.conf").is_file():
        raise BoardError(f"{layer}: has no conf/layer.conf; name the top folder of a layer")
    boards = os.path.relpath(folder.resolve().parent, (layer / _INCLUDES).resolve())
    return layer / _INCLUDES / include_name(board), include(board, boards)


def include(board: Board, boards: str = _OUR_BOARDS) -> str:
    """The settings of a board, as BitBake reads them.

    ``OTA_SLOT_SIZE`` is in bytes, and has room for systemd on a board whose disk grows. The
    settings of board.yaml come last and replace the others.

    Args:
        boards: the folder that has the board's folder, as a path from the file's folder.

    Raises:
        BoardError: Yocto does not build the board.
    """
    if board.yocto is None:
        raise BoardError(f"{board.name}: has no 'yocto' in its board.yaml; add yocto.machine")
    own = board.yocto.settings
    return fill_in(
        TEMPLATES / "ota-board.inc.j2",
        board=board,
        boards=boards,
        settings={name: value for name, value in _values(board) if name not in own} | own,
        quoted=_quoted,
    )


def _values(board: Board) -> Iterator[tuple[str, str]]:
    yield "OTA_BOARD", board.name
    yield "OTA_MACHINE", board.yocto.machine if board.yocto else ""
    yield "OTA_DEVICE_TYPES", " ".join(board.device_types)
    yield "OTA_BOOTLOADER", board.bootloader.kind
    yield "OTA_SLOT_SIZE", str(_slot(board))
    yield "OTA_FIRMWARE", " ".join(_firmware(board))
    yield "OTA_DEVICE_TREES", " ".join(board.device_trees)
    yield "OTA_CONSOLE", board.console.device


def _slot(board: Board) -> int:
    """The size of a slot [B]."""
    grown = with_slots(board, _ROOM) if board.storage.grows else board
    return grown.layout.partition("A").size


def _firmware(board: Board) -> list[str]:
    """The names of the firmware's files, each once."""
    return list(dict.fromkeys(each.source.rpartition("/")[2] for each in board.firmware))


def _quoted(name: str, value: str) -> str:
    """The value of a setting, as BitBake reads it.

    Raises:
        BoardError: a character of it would end the value, or change the next one.
    """
    if '"' in value or "\\" in value:
        raise BoardError(
            f"{name}: {value!r} has a quote or a backslash, which BitBake would misread; leave it"
            " out"
        )
    return f'"{value}"'
