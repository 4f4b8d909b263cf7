# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an image, asked before it erases a disk."""

from collections.abc import Iterator

from ota_artifact.errors import LayoutError, MatchError, RolesError
from ota_image.disk.image import Disk
from ota_image.errors import ImageError
from ota_image.flash.device import Device


def warnings_of(disk: Disk) -> Iterator[str]:
    """What a user should know of an image; any disk image may be written.

    Raises:
        ImageError: its partition table or its layout.json is damaged, or the two do not match.
    """
    if disk.fault or isinstance(disk.refusal, (LayoutError, MatchError)):
        raise ImageError(disk.fault or str(disk.refusal))
    if disk.table and disk.table.first_fault:
        yield f"{disk.path}: the first GPT {disk.table.first_fault}"
    if disk.table and disk.table.conflict:
        yield f"{disk.path}: {disk.table.conflict}"
    if isinstance(disk.refusal, RolesError):
        yield f"{disk.path}: is not a disk with slots A and B: {disk.refusal.finding}"


def require_asked_for_emmc(disk: Disk, device: Device, *, is_asked: bool) -> None:
    """Pass if the device is not an eMMC, or the user wants just that.

    Raises:
        ImageError: it is one. A board with both starts the eMMC's U-Boot, which then uses the
            state and the slots of the card.
    """
    if not device.is_emmc or is_asked:
        return
    there = disk.layout.device if disk.layout else ""
    reason = (
        f" {disk.path.name} has its slots on {there}, and if that is the card there, U-Boot from"
        " the eMMC starts the card's slots, or none;"
        if there
        else ""
    )
    raise ImageError(
        f"{device.path}: is an eMMC, a part of the board;{reason} name the card, or write it to the"
        " eMMC with --emmc"
    )


def require_same_sectors(disk: Disk, device: Device) -> None:
    """Pass if the device counts in the sectors that the GPT counts in.

    Raises:
        ImageError: it does not, and the system would find no partitions on it.
    """
    table = disk.table
    if table and table.kind == "gpt" and table.sector != device.sector:
        raise ImageError(
            f"{disk.path}: its GPT counts in sectors of {table.sector} B, and {device.path} in"
            f" sectors of {device.sector} B; make the table for that disk"
        )
