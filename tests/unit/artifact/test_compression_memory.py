# SPDX-License-Identifier: Apache-2.0
"""Bombs cost no memory: measured on a process that reads them."""

import sys
from pathlib import Path

import pytest

from ota_artifact.compression import Codec
from ota_artifact.run import run
from tests.fuzz.session import peak
from tests.golden.draft import squeeze

MIB = 1 << 20
ROOT = Path(__file__).parents[3]

READ = """
import sys
from ota_artifact.compression import Codec, Decompressor
from tests.fuzz.session import peak
def chunks(path, times):
    data = open(path, "rb").read()
    for _ in range(times):
        yield data
codec, path, times = Codec(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in Decompressor(codec, "warm").run(iter((open(path + ".small", "rb").read(),))):
    pass
before, total = peak(), 0
for piece in Decompressor(codec, "bomb").run(chunks(path, times)):
    total += len(piece)
print(total, (peak() - before) >> 20)
"""


def _read(codec: Codec, bomb: bytes, folder: Path, *, times: int) -> tuple[int, int]:
    """Decompress it; gives the size of the output [B], and the memory that it took [MiB]."""
    (folder / "bomb").write_bytes(bomb)
    (folder / "bomb.small").write_bytes(squeeze(b"small", codec.value))
    said = run((sys.executable, "-c", READ, codec.value, folder / "bomb", str(times)), timeout=50)
    total, cost = said.split()
    return int(total), int(cost)


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.boot
@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.XZ, Codec.ZSTD])
def test_bomb_costs_no_memory(codec: Codec, tmp_path: Path) -> None:
    bomb = squeeze(bytes(64 * MIB), codec.value)

    total, cost = _read(codec, bomb, tmp_path, times=8)

    assert len(bomb) < 100_000
    assert total == 512 * MIB
    assert cost < 24


@pytest.mark.boot
def test_bomb_of_zstd_blocks_costs_no_memory(tmp_path: Path) -> None:
    blocks = (1 << 17 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (1).to_bytes(3, "little")
    bomb = b"\x28\xb5\x2f\xfd\0\x58" + blocks * 4096 + last

    total, cost = _read(Codec.ZSTD, bomb, tmp_path, times=2)

    assert len(bomb) < 17_000
    assert total == 1024 * MIB
    assert cost < 24


@pytest.mark.boot
def test_memory_that_is_used_is_measured() -> None:
    """The counterpart: code that takes memory is measured so."""
    before = peak()
    data = b"x" * (before + 64 * MIB)

    assert peak() - before > 63 * MIB
    assert data
