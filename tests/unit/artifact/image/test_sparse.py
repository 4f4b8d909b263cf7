# SPDX-License-Identifier: Apache-2.0
"""Copies of large files, whose holes stay holes."""

import errno
import os
from pathlib import Path

import pytest

from ota_artifact.image.sparse import copy_sparse
from tests.unit.artifact.image.conftest import MIB


def test_sparse_copy_is_equal_where_the_kernel_lacks_the_short_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    source = tmp_path / "source"
    with source.open("wb") as file:
        file.seek(3 * MIB + 5)
        file.write(os.urandom(2 * MIB))
        file.truncate(9 * MIB + 1)
    monkeypatch.setattr("fcntl.ioctl", lacking)
    monkeypatch.setattr("os.copy_file_range", lacking)

    with source.open("rb") as old, (tmp_path / "copy").open("wb") as new:
        copy_sparse(old.fileno(), new.fileno())

    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert (tmp_path / "copy").stat().st_blocks <= source.stat().st_blocks


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_sparse_copy_of_small_files_and_of_one_hole(tmp_path: Path, size: int) -> None:
    with (tmp_path / "source").open("wb") as file:
        file.truncate(size)

    with (tmp_path / "source").open("rb") as old, (tmp_path / "copy").open("wb") as new:
        copy_sparse(old.fileno(), new.fileno())

    assert (tmp_path / "copy").read_bytes() == bytes(size)
