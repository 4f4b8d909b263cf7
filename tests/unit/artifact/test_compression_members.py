# SPDX-License-Identifier: Apache-2.0
"""Members: which parts are compressed alone, and that only the input decides it."""

import gzip
import lzma
from dataclasses import replace

import pytest

from ota_artifact.compressors import COMPRESSIONS, compress

_LZMA = replace(COMPRESSIONS["lzma"], level=0, member=1000)
_TEXT = bytes(range(256)) * 17


@pytest.mark.parametrize("cut", [1, 999, 1000, 1001, 5000])
def test_xz_blocks_are_the_same_however_the_input_is_cut(cut: int) -> None:
    parts = [_TEXT[begin : begin + cut] for begin in range(0, len(_TEXT), cut)]

    members = list(compress(parts, _LZMA))

    assert [len(lzma.decompress(each)) for each in members] == [1000, 1000, 1000, 1000, 352]
    assert members == list(compress((_TEXT,), _LZMA))


def test_members_keep_their_order_among_those_of_zeros() -> None:
    how = replace(COMPRESSIONS["gzip"], member=1000)
    zeros = bytes(1000)
    parts = [zeros, b"a" * 1000, zeros, zeros, b"b" * 1000, bytes(999), zeros]

    members = list(compress(parts, how))

    assert [gzip.decompress(each) for each in members] == parts
