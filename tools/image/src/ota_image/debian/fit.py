# SPDX-License-Identifier: Apache-2.0
"""Makes the slots of a board large enough for a recipe, where that harms nobody."""

from dataclasses import replace

from ota_board.board import Board
from ota_board.errors import LayoutError
from ota_board.size import format_size
from ota_image.debian.recipe import Recipe
from ota_image.errors import ImageError


def fitted(board: Board, recipe: Recipe) -> Board:
    """The board with slots that the recipe fits into.

    Those of a board whose disk grows do, and the disk by powers of two, since QEMU takes no other
    cards. Those of other boards stay: what is in the field has slots of that size.

    Raises:
        ImageError: the slots of a real board are too small.
    """
    if board.partitions.slot >= recipe.slot:
        return board
    if not board.storage.grows:
        raise ImageError(
            f"boards/{board.name}/board.yaml: partitions.slots.size:"
            f" {format_size(board.partitions.slot)} are too small for the image {recipe.name};"
            f" make it {format_size(recipe.slot)}, or choose a smaller image"
        )
    partitions, storage = replace(board.partitions, slot=recipe.slot), board.storage
    while True:
        grown = replace(board, partitions=partitions, storage=storage)
        try:
            _ = grown.layout
        except LayoutError:
            storage = replace(storage, size=storage.size * 2)
        else:
            return grown
