# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole, and room that is left in them."""

import os
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ota_artifact.output import can_be_edited, fill_room, put, put_all, replacing


def _opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> BinaryIO:
    return cast(BinaryIO, os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0))


@pytest.mark.parametrize("front", [b"12", b"1234", b"123456"])
def test_a_front_that_is_shorter_or_longer_than_its_space_moves_what_follows(
    tmp_path: Path, front: bytes
) -> None:
    with _opened(tmp_path / "file") as file:
        put(file, b"before....the rest")

        fill_room(file, 6, 4, front, tmp_path)

    assert (tmp_path / "file").read_bytes() == b"before" + front + b"the rest"


def test_a_file_is_at_its_end_after_its_space_is_filled(tmp_path: Path) -> None:
    with _opened(tmp_path / "file") as file:
        put(file, b"....rest")

        fill_room(file, 0, 4, b"12", tmp_path)
        put(file, b"!")

    assert (tmp_path / "file").read_bytes() == b"12rest!"


def test_all_parts_are_written_and_counted(tmp_path: Path) -> None:
    parts = [bytes([number]) * (5 << 20) for number in range(7)]  # more than goes to disk at once

    with _opened(tmp_path / "file") as file:
        size = put_all(file, parts)

    assert size == 35 << 20
    assert (tmp_path / "file").read_bytes() == b"".join(parts)


def test_what_replaces_a_file_can_be_edited(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as file:
        is_editable = can_be_edited(file)

    assert is_editable


def test_a_pipe_cannot_be_edited() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as pipe:
        is_editable = can_be_edited(cast(BinaryIO, pipe))

    assert not is_editable


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR | os.O_APPEND])
def test_a_file_of_the_shell_that_is_only_written_or_appended_to_cannot_be_edited(
    tmp_path: Path, flags: int
) -> None:
    descriptor = os.open(tmp_path / "file", flags | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        is_editable = can_be_edited(cast(BinaryIO, file))

    assert not is_editable
