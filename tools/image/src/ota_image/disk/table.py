# SPDX-License-Identifier: Apache-2.0
"""Writes the partition table of a layout onto an image, by sfdisk."""

from collections.abc import Iterator
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.image.workplace import find_program
from ota_artifact.layout import SECTOR, Area, Layout
from ota_artifact.run import run
from ota_image.disk.identity import Identity

_TIMEOUT = 60.0  # [s]
_MBR_TYPES = {"boot": "c", "extended": "5"}  # FAT with LBA; anything else is Linux'
_MBR_LINUX = "83"
_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"  # Source: UEFI 2.10, section 5.3.3
_GPT_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_GPT_FIRST = 34  # [sectors] the first that no table needs


def write_table(disk: Path, layout: Layout, identity: Identity) -> None:
    """Write the table, with identifiers derived from the inputs.

    Raises:
        ProgramError: sfdisk is missing, or refuses.
    """
    script = "\n".join(_mbr(layout, identity) if layout.table == "mbr" else _gpt(layout, identity))
    argv = (
        find_program("sfdisk", package="fdisk"),
        *("--quiet", "--no-reread", "--no-tell-kernel", "--lock=no", "--wipe", "never"),
        str(disk),
    )
    run(argv, timeout=_TIMEOUT, stdin=f"{script}\n".encode(), environment={"LC_ALL": "C"})
    if not disk.stat().st_size == layout.size:
        raise ProgramError(f"sfdisk changed the size of {disk}; install the package fdisk")


def _mbr(layout: Layout, identity: Identity) -> Iterator[str]:
    yield "label: dos"
    yield f"label-id: {identity.number('disk'):#010x}"
    yield "unit: sectors"
    entries = [area for area in layout.areas if area.kind in ("partition", "extended")]
    for area in sorted(entries, key=lambda area: area.number):
        kind = _MBR_TYPES.get(area.name if area.kind == "partition" else area.kind, _MBR_LINUX)
        yield f"{_place(area)}, type={kind}{', bootable' if area.name == 'boot' else ''}"


def _gpt(layout: Layout, identity: Identity) -> Iterator[str]:
    yield "label: gpt"
    yield f"label-id: {identity.guid('disk')}"
    yield "unit: sectors"
    yield f"first-lba: {_GPT_FIRST}"
    for area in layout.partitions:
        kind = _ESP if area.name == "boot" else _GPT_LINUX
        guid = identity.guid(f"partition {area.name}")
        yield f'{_place(area)}, type={kind}, uuid={guid}, name="{area.name}"'


def _place(area: Area) -> str:
    return f"start={area.offset // SECTOR}, size={area.size // SECTOR}"
