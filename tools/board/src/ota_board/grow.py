# SPDX-License-Identifier: Apache-2.0
"""Makes the slots of a board larger, where that harms nobody."""

from dataclasses import replace

from ota_artifact.size import GIB, format_size
from ota_board.board import Board
from ota_board.errors import BoardError, LayoutError

_LARGEST = 1024 * GIB  # a disk beyond it is a slip of the pen [B]


def with_slots(board: Board, size: int) -> Board:
    """The board with slots of at least a size [B].

    Those of a board whose disk grows do, and the disk by powers of two, since QEMU takes no other
    cards. Those of other boards stay: what is in the field has slots of that size.

    Raises:
        BoardError: the slots of a real board are smaller, or no disk is that large.
    """
    if board.partitions.slot >= size:
        return board
    if not board.storage.grows:
        raise BoardError(
            f"boards/{board.name}/board.yaml: partitions.slots.size:"
            f" {format_size(board.partitions.slot)} are too small; make it {format_size(size)}"
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
        f"{board.name}: slots of {format_size(size)} take a disk of more than"
        f" {format_size(_LARGEST)}; ask for smaller ones"
    )
