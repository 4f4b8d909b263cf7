# SPDX-License-Identifier: Apache-2.0
"""Makes the slots of a board large enough for a recipe, where that harms nobody."""

from ota_board.board import Board
from ota_board.errors import BoardError
from ota_board.grow import with_slots
from ota_image.debian.recipe import Recipe
from ota_image.errors import ImageError


def fitted(board: Board, recipe: Recipe) -> Board:
    """The board with slots that the recipe fits into.

    Raises:
        ImageError: the slots of a real board are too small.
    """
    try:
        return with_slots(board, recipe.slot)
    except BoardError as error:
        raise ImageError(f"{error} for the image {recipe.name}, or choose another") from error
