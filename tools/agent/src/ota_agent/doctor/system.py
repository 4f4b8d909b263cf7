# SPDX-License-Identifier: Apache-2.0
"""What the kernel shows of a device: mounts, sizes of disks, watchdogs."""

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
"""What sysfs counts sizes of disks in [B]. Source: Linux, Documentation/block/stat.rst."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Where the kernel shows it.

    Attributes:
        proc: where procfs is mounted.
        sys: where sysfs is mounted.
        root: what is mounted as the root filesystem.
        now: gives the time [s since 1970].
    """

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    root: Path = Path("/")
    now: Callable[[], float] = time.time

    def text(self, path: Path) -> str:
        """What a small file says, without spaces around it; empty if it cannot be read."""
        try:
            return path.read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def number(self, path: Path) -> int:
        """The number in a small file; 0 if there is none."""
        text = self.text(path)
        return int(text) if text.isdecimal() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of mountinfo.

    Attributes:
        device: its number, as ``179:2``.
        point: where it is mounted.
        kind: of filesystem.
        options: of the mount and of the filesystem.
    """

    device: str
    point: str
    kind: str
    options: frozenset[str]


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts in /proc/self/mountinfo. Source: proc(5)."""
    found = []
    for line in text.splitlines():
        before, separator, behind = line.partition(" - ")
        words, rest = before.split(), behind.split()
        if not separator or len(words) < 6 or len(rest) < 3:
            continue
        options = frozenset((*words[5].split(","), *rest[2].split(",")))
        found.append(
            Mount(
                device=words[2],
                point=_plain(words[4]),
                kind=rest[0],
                options=options,
            )
        )
    return tuple(found)


def mount_of(path: Path, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that a path is on; of two in the same place, the later one hides the other."""
    best = None
    for each in mounts:
        if path.is_relative_to(each.point) and (best is None or len(each.point) >= len(best.point)):
            best = each
    return best


def device_number(node: Path) -> str:
    """The number of a block device, as ``179:2``; empty if it is none.

    Raises:
        OSError: it is not there.
    """
    status = node.stat()
    if not stat.S_ISBLK(status.st_mode):
        return ""
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def size_of(node: Path, system: System) -> int:
    """The size of a block device, or of a file that stands for one [B].

    Raises:
        OSError: it is not there.
    """
    if number := device_number(node):
        return system.number(system.sys / "dev" / "block" / number / "size") * SECTOR
    return node.stat().st_size


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
