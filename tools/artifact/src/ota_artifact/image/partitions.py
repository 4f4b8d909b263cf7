# SPDX-License-Identifier: Apache-2.0
"""The partitions of a disk image."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ota_artifact.errors import ArtifactError
from ota_artifact.image.gpt import read_gpt
from ota_artifact.image.mbr import is_protective, read_mbr


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition that lies in the image as a whole.

    Attributes:
        number: as Linux numbers it; logical ones begin at 5.
        offset: where it begins [B].
        size: its length [B].
        type: MBR: two hexadecimal digits ("83"); GPT: the type's GUID in lower case.
        label: the name that GPT gives it; "" with MBR.
    """

    number: int
    offset: int
    size: int
    type: str
    label: str = ""

    @property
    def is_swap(self) -> bool:
        """Whether its type says swap space."""
        return self.type in _SWAP


_SWAP = ("82", "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")


def read_partitions(image: Path) -> tuple[Partition, ...]:
    """Read the partition table, GPT or MBR, in the order of the partitions' numbers.

    Extended partitions are not in the result, the logical ones inside them are.

    Raises:
        ArtifactError: no table, a damaged one, or a partition beyond the end of the image.
        OSError: the image cannot be read.
    """
    with image.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        found = [
            Partition(number=number, offset=offset, size=length, type=kind, label=label)
            for number, offset, length, kind, label in _entries(file, size, image)
        ]
    for partition in found:
        end = partition.offset + partition.size
        if end > size:
            raise ArtifactError(
                f"{image}: partition {partition.number} ends at {end} B, but the image has "
                f"{size} B; it is truncated"
            )
    if not found:
        raise ArtifactError(f"{image}: the partition table is empty; nothing to open")
    return tuple(found)


def _entries(file: BinaryIO, size: int, image: Path) -> list[tuple[int, int, int, str, str]]:
    """(number, offset [B], size [B], type, label) of each."""
    file.seek(0)
    first = file.read(512)
    if len(first) < 512:
        raise ArtifactError(f"{image}: {len(first)} B hold no partition table; it is truncated")
    if first[510:512] == b"\x55\xaa" and not is_protective(first):
        return [(*each, "") for each in read_mbr(file, size, image)]
    found = read_gpt(file, size, image)
    if found is None:
        raise ArtifactError(f"{image}: neither a partition table nor a filesystem that we know")
    return found
