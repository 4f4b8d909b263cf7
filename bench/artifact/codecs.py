# SPDX-License-Identifier: Apache-2.0
"""What each compression costs alone, and whether its output is the same on this CPU.

python -m bench.artifact.codecs FILE
qemu-x86_64 -cpu Nehalem .venv/bin/python -m bench.artifact.codecs FILE
"""

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import deflate
import zstandard
from isal import isal_zlib

from bench.artifact.page import table

MEMBER = 1 << 20  # [B] as `write` cuts a payload
WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "SHA-256": lambda piece: hashlib.sha256(piece).digest(),
    "libdeflate, level 1": lambda piece: bytes(deflate.gzip_compress(piece, 1)),
    "isal, level 1": lambda piece: isal_zlib.compress(piece, 1),
    "isal, level 2": lambda piece: isal_zlib.compress(piece, 2),
    "isal, level 3": lambda piece: isal_zlib.compress(piece, 3),
    "zstd, level 3": zstandard.ZstdCompressor(level=3).compress,
}


def main() -> int:
    """Print a table of all ways; gives the exit code."""
    if len(sys.argv) != 2:
        print(f"usage: {__doc__}", file=sys.stderr)
        return 1
    path = Path(sys.argv[1])
    _cost(path, WAYS["SHA-256"])  # so that the file is in memory from the first one on
    rows = [(name, *_cost(path, way)) for name, way in WAYS.items()]
    print(table(("one thread, members of 1 MiB", "CPU", "size", "sha256 of it"), rows), end="")
    return 0


def _cost(path: Path, way: Callable[[bytes], bytes]) -> tuple[str, str, str]:
    """CPU time, and size and digest of the output."""
    digest, size = hashlib.sha256(), 0
    spent = 0.0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(MEMBER):
            begun = time.process_time()
            done = way(piece)
            spent += time.process_time() - begun
            size += len(done)
            digest.update(done)
    return f"{spent:.2f} s", f"{size / 1e6:.1f} MB", digest.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
