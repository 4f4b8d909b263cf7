# SPDX-License-Identifier: Apache-2.0
"""A `mount` that refuses an ext4 as the kernel does, and copies its files out of a partition.

kernel_mount.py [-t KIND] [-o OPTIONS] SOURCE POINT
"""

import shutil
import struct
import sys
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run

_REFUSED = 32  # Source: mount(8)
_KNOWN = (1 << 19) - 1
"""The features that it takes for known: more than a kernel of today has."""

_OF_TODAY = (0x3FF, _KNOWN, 0x7F)
"""Those that debugfs takes: compatible, incompatible, for writing."""


def main() -> int:
    """Mount, or refuse."""
    words = sys.argv[1:]
    kind = words[words.index("-t") + 1] if "-t" in words else ""
    options = words[words.index("-o") + 1].split(",") if "-o" in words else []
    source, point = map(Path, words[-2:])
    if kind != "tmpfs" and not _mounted(source, point, options):
        return _REFUSED
    with point.with_suffix(".mounts").open("a") as log:
        print(kind or "other", ",".join(options), file=log)
    return 0


def _mounted(source: Path, point: Path, options: list[str]) -> bool:
    at = next((int(each[3:]) for each in options if each.startswith("sb=")), 1) << 10
    with source.open("rb") as file:
        file.seek(at)
        superblock = file.read(1024)
        if superblock[56:58] != b"\x53\xef":
            return False
        features = struct.unpack_from("<III", superblock, 92)
        if features[1] & ~_KNOWN or (features[2] & ~_KNOWN and "ro" not in options):
            return False
        blocks, size = struct.unpack_from("<I", superblock, 4)[0], 1024 << superblock[24]
        file.seek((at // size + 1) * size)
        table = file.read(size)
    for group in range(-(-blocks // struct.unpack_from("<I", superblock, 32)[0])):
        if not all(0 < each < blocks for each in struct.unpack_from("<III", table, 32 * group)):
            return False
    changed = bytearray(superblock)
    struct.pack_into("<H", changed, 90, 0)
    known = (mine & theirs for mine, theirs in zip(features, _OF_TODAY, strict=True))
    struct.pack_into("<III", changed, 92, *known)
    copy = source.with_suffix(".mounted")
    run(("cp", "--sparse=always", source, copy), timeout=30)
    with copy.open("r+b") as file:
        file.seek(1024)
        file.write(changed)
        file.seek(size)
        file.write(table)
    shutil.rmtree(point)
    point.mkdir()
    try:
        run(("debugfs", "-R", f"rdump / {point}", copy), timeout=30)
    except ProgramError:
        return False
    finally:
        copy.unlink()
    return (point / "lost+found").exists()


if __name__ == "__main__":
    sys.exit(main())
