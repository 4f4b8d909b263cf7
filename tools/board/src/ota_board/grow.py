# SPDX-License-Identifier: Apache-2.0
"""Makes the slots of a board larger, where no device has smaller ones."""

from dataclasses import replace

from ota_artifact.size import GIB, format_size
from ota_board.board import Board
from ota_board.errors import BoardError, LayoutError

_LARGEST = 1024 * GIB  # a larger disk is a typing mistake [B]


def with_slots(board: Board, size: int) -> Board:
    """The board with slots of at least a size [B].

    Only a board whose disk grows gets larger slots. Its disk grows by powers of two, since QEMU
    accepts no other size of card. Other boards keep their slots: devices in the field have them.

    Raises:
        BoardError: a real board has smaller slots, or the disk would be too large.
    """
    if board.partitions.slot >= size:
        return board
    if not board.storage.grows:
        raise BoardError(
            f"boards/{board.name}/board.yaml: partitions.slots.size:"
            f" {format_size(board.partitions.slot)} is too small; make it {format_size(size)}"
        )
    partitions, storage = replace(board.partitions, slot=size), board.storage
    while storage.size <= _LARGEST:
        grown = replace(board, partitions=partitions, storage=storage)
        try:
            _ = grown.layout
        except LayoutError:
            storage = replace(storage, size=storage.size * 2)
        else:
            return grown
    raise BoardError(
        f"{board.name}: slots of {format_size(size)} need a disk of more than"
        f" {format_size(_LARGEST)}; ask for smaller slots"
    )
