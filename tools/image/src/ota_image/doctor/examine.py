# SPDX-License-Identifier: Apache-2.0
"""Runs every probe on an image. A new family of hazards is a file with `probe`, named here."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ota_board.board import Board
from ota_image.doctor import artifact as artifact_probes
from ota_image.doctor import bootloader, environment, filesystems, mounts, slots, table
from ota_image.doctor.case import Case, Finding, open_case

PROBES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    table.probe,
    environment.probe,
    bootloader.probe,
    filesystems.probe,
    slots.probe,
    mounts.probe,
    artifact_probes.probe,
)
"""In the order in which the device meets them."""


def examine(
    path: Path,
    board: Board | None = None,
    *,
    is_booted: bool = False,
    artifact: Path | None = None,
) -> list[Finding]:
    """Every hazard that the image shows.

    Args:
        board: what it is for; without it some cannot be told.
        is_booted: whether it has run on a device already.
        artifact: an update that is to go with it.

    Raises:
        ImageError: it is no disk image.
        ArtifactError: the artifact is none, or damaged.
        OSError: it cannot be read.
    """
    case = open_case(path, board, is_booted=is_booted, artifact=artifact)
    return [finding for probe in PROBES for finding in probe(case)]
