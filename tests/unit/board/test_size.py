# SPDX-License-Identifier: Apache-2.0
"""Sizes in a board's description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.size import format_size
from ota_board.errors import BoardError
from ota_board.size import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1 B", 1), ("3KiB", 3072), ("128 MiB", 1 << 27), ("2 GiB", 1 << 31), ("0x20000", 131072)],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["1 GB", "128", "1.5 MiB", "-1 MiB", "MiB", "0x", "1 MiB ", "\u0661 B", "9" * 5000 + " B"],
)
def test_another_form_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(BoardError, match="write it as '256 MiB'"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_size_that_was_written_is_read_as_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size
