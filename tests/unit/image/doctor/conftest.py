# SPDX-License-Identifier: Apache-2.0
"""An image that each module makes once, as its fixture ``made``, and that its tests break."""

from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.board import Board


@pytest.fixture
def board(made: tuple[Board, Path]) -> Board:
    return made[0]


@pytest.fixture
def good(tmp_path: Path, made: tuple[Board, Path]) -> Path:
    """A copy of it, to be broken."""
    path = tmp_path / "test.sdimg"
    run(("cp", "--sparse=always", made[1], path), timeout=10)
    return path
