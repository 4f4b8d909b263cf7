# SPDX-License-Identifier: Apache-2.0
"""`compose` of a 512 MiB image, compared with genimage and bmaptool on the same root filesystem."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.artifact.measure import Sample, measure, median
from bench.image.target import Target
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run

BOARD = "qemu-arm64"

_MIB = 1 << 20
_SLOT = 128 * _MIB  # [B] of BOARD
_FILES, _LARGE = 2000, 80 * _MIB  # a root filesystem of the usual kind, nearly full
_OURS, _THEIRS, _ALONE = "ota-image compose", "genimage, bmaptool create", "genimage"

_GENIMAGE = """\
image boot.vfat { vfat { label = "BOOT" extraargs = "-F 16" } size = 40M empty = true }
image b.ext4 { ext4 { use-mke2fs = true } size = 128M empty = true }
image data.ext4 { ext4 { use-mke2fs = true label = "data" } size = 64M empty = true }
image test.sdimg {
  hdimage { align = 4M partition-table-type = "mbr" }
  partition boot { partition-type = 0xC bootable = "true" image = "boot.vfat" offset = 24M }
  partition A { partition-type = 0x83 image = "rootfs.ext4" size = 128M }
  partition B { partition-type = 0x83 image = "b.ext4" size = 128M }
  partition data { partition-type = 0x83 image = "data.ext4" size = 64M }
}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of making the image costs: the median of all rounds."""

    name: str
    cost: Sample


def rows(folder: Path, *, rounds: int) -> list[Row]:
    """Measure the ways in turn, so that a slow machine slows all of them.

    Raises:
        ProgramError: a program is missing, or failed.
        OSError: no space in the folder.
    """
    (folder / "input").mkdir()
    _rootfs(folder / "input" / "rootfs.ext4", folder)
    (folder / "genimage.cfg").write_text(_GENIMAGE)
    (folder / "empty").mkdir()
    ways = dict(_ways(folder))
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    for each in range(rounds + 1):  # the first is not counted
        for name, (argv, output) in ways.items():
            sample = measure(argv, environment=_environment(), output=output)
            if each:
                samples[name].append(sample)
    return [Row(name, median(found)) for name, found in samples.items()]


def targets(found: list[Row]) -> list[Target]:
    """The limits for compose, and its measured costs."""
    cost = {row.name: row.cost for row in found}
    ours = cost[_OURS]
    return [
        Target(what="compose, 512 MiB", value=ours.wall, limit=8, unit="s"),
        Target(what="compose, 512 MiB: peak RSS", value=ours.rss / 1e6, limit=150, unit="MB"),
        Target(
            what=f"compose, compared with {_ALONE}, which makes no block map",
            value=_ratio(cost, _ALONE),
            limit=1.1,
        ),
        Target(what=f"compose, compared with {_THEIRS}", value=_ratio(cost, _THEIRS), limit=1.1),
    ]


def _ratio(cost: Mapping[str, Sample], other: str) -> float:
    return cost[_OURS].wall / cost[other].wall


def _ways(folder: Path) -> Iterator[tuple[str, tuple[list[str], Path]]]:
    ours = Path(sys.executable).with_name("ota-image")
    rootfs, output = folder / "input" / "rootfs.ext4", folder / "ours.sdimg"
    words = [ours, "compose", BOARD, "--rootfs", rootfs, "--output", output]
    yield _OURS, ([str(word) for word in words], output)
    genimage = (
        *(find_program("genimage", package="genimage"), "--config", folder / "genimage.cfg"),
        *("--inputpath", folder / "input", "--outputpath", folder / "theirs"),
        *("--tmppath", folder / "temporary", "--rootpath", folder / "empty"),
    )
    line = shlex.join(str(word) for word in genimage)
    clean = f"rm -rf {shlex.quote(str(folder / 'temporary'))}"
    output = folder / "theirs" / "test.sdimg"
    shell = find_program("sh", package="dash")
    yield _ALONE, ([shell, "-c", f"{clean}; {line}"], output)
    bmaptool = find_program("bmaptool", package="bmap-tools")
    more = shlex.join((bmaptool, "--quiet", "create", "-o", f"{output}.bmap", str(output)))
    yield _THEIRS, ([shell, "-c", f"{clean}; {line} && {more}"], output)


def _environment() -> Mapping[str, str]:
    return {**os.environ, "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))}


def _rootfs(path: Path, folder: Path) -> None:
    tree = folder / "tree"
    tree.mkdir()
    (tree / "large").write_bytes(os.urandom(_LARGE))
    for number in range(_FILES):
        (tree / str(number)).write_bytes(os.urandom(4096))
    program = find_program("mke2fs", package="e2fsprogs")
    argv = (program, "-q", "-F", "-t", "ext4", "-d", tree, path, f"{_SLOT // 1024}k")
    run(argv, timeout=300)
