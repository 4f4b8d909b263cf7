# SPDX-License-Identifier: Apache-2.0
"""What libparted knows of an image that is not ours: other partition tables, and free space.

libparted is never given the image. It opens what it reads for writing, and writes into some images
unasked, so it gets a sparse copy of the few places where tables and filesystems begin.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ota_artifact.errors import ProgramError
from ota_artifact.image.partitions import Table
from ota_artifact.image.sparse import copy_range
from ota_artifact.run import run
from ota_image.disk.image import Disk
from ota_image.errors import ImageError

MISSING = (
    "pyparted is missing; install it with `pip install 'ota-image[host]'` or as the package"
    " python3-parted"
)
"""What to do where libparted cannot be asked."""

_TIMEOUT = 30.0  # [s]
_ENDS = 1 << 20  # [B] of the beginning and the end of an image: every table and its backup
_AFTER = 128 << 10  # [B] in which a filesystem says what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPart:
    """A partition, as libparted has it.

    Attributes:
        filesystem: in libparted's words; empty if it knows none there.
        flags: in libparted's words, such as ``boot, esp``.
        is_aligned: whether it begins at a multiple of what suits disks.
    """

    number: int
    name: str
    offset: int
    size: int
    filesystem: str
    flags: str
    is_aligned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What libparted knows of an image.

    Attributes:
        label: kind of table in libparted's words, such as ``sun``; empty: it knows none.
        parts: the partitions; extended ones are among them.
        free: (offset [B], size [B]) of what belongs to no partition.
    """

    label: str
    parts: tuple[ForeignPart, ...]
    free: tuple[tuple[int, int], ...]

    @property
    def is_other(self) -> bool:
        """Whether the table is of a kind that we do not read."""
        return self.label not in ("", "loop", "msdos", "gpt")


def ask_libparted(image: Path, table: Table | None) -> Foreign:
    """What libparted knows of an image file; the image is only read.

    Args:
        image: a regular file.
        table: what we read in it; None: nothing that we know.

    Raises:
        ImageError: pyparted is missing.
        ProgramError: libparted fails on it.
        OSError: the image cannot be read, or there is no space for the copy.
    """
    if find_spec("parted") is None:
        raise ImageError(MISSING)
    sector = table.sector if table else 512
    with tempfile.TemporaryDirectory(prefix="ota-image-") as folder:
        copy = Path(folder) / "image"
        _copy_places(image, copy, table)
        printed = run(
            (sys.executable, "-P", "-m", "ota_image.disk.libparted", copy),
            timeout=_TIMEOUT,
            environment={
                "LC_ALL": "C",
                "PARTED_GPT_APPLE": "0",  # else it runs dmidecode, which reads /dev/mem
                "PARTED_SECTOR_SIZE": str(sector),
            },
        )
    return _parsed(json.loads(printed))


def _parsed(found: dict[str, Any]) -> Foreign:
    return Foreign(
        label=found["label"],
        parts=tuple(ForeignPart(**each) for each in found.get("partitions", ())),
        free=tuple((offset, size) for offset, size in found.get("free", ())),
    )


def look_closer(disk: Disk) -> tuple[Foreign | None, str]:
    """What libparted knows of a disk that is not ours; if nothing, why not, or nothing to say."""
    if disk.layout or disk.table is None or not disk.path.is_file():
        return None, ""
    try:
        found = ask_libparted(disk.path, disk.table if disk.parts else None)
    except ImageError as error:
        return None, f"neither free space nor the filesystems that libparted knows: {error}"
    except ProgramError as error:
        return None, f"libparted fails on it: {error}"
    return (found, "") if found.label else (None, "")


def require_known(image: Path, fault: str) -> Foreign:
    """What libparted makes of an image that has neither an MBR nor a GPT nor a filesystem.

    Args:
        image: the file.
        fault: why we cannot read it, with its name.

    Raises:
        ImageError: libparted does not know it either, or cannot be asked.
        OSError: the image cannot be read.
    """
    if not image.is_file():
        raise ImageError(fault)
    try:
        found = ask_libparted(image, None)
    except ProgramError as error:
        raise ImageError(fault) from error
    except ImageError as error:
        raise ImageError(f"{fault}; libparted may know it, but {MISSING}") from error
    if not found.is_other:
        raise ImageError(fault)
    return found


def _copy_places(image: Path, copy: Path, table: Table | None) -> None:
    with image.open("rb") as source, copy.open("wb") as target:
        size = source.seek(0, 2)
        target.truncate(size)
        for start, end in _places(size, table):
            copy_range(source.fileno(), target.fileno(), start, end)


def _places(size: int, table: Table | None) -> Iterator[tuple[int, int]]:
    """Where tables and filesystems begin and end [B]."""
    yield 0, min(_ENDS, size)
    yield max(size - _ENDS, 0), size
    if table:
        for link in table.links:
            yield link, link + table.sector
        for each in table.partitions:
            yield min(each.offset, size), min(each.offset + _AFTER, size)
