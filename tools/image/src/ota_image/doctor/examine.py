# SPDX-License-Identifier: Apache-2.0
"""Runs every probe on an image. A new family of hazards is a file with `probe`, named here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.finding import Finding
from ota_board.board import Board
from ota_image.doctor import artifact as artifact_probes
from ota_image.doctor import (
    bootloader,
    environment,
    filesystems,
    firmware,
    grub,
    hardware,
    identity,
    kernel,
    login,
    memory,
    mounts,
    slots,
    table,
    trust,
    watchdog,
)
from ota_image.doctor.case import Case, open_case
from ota_image.doctor.watchdog import Cover, cover_of

PROBES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    table.probe,
    environment.probe,
    bootloader.probe,
    firmware.probe,
    grub.probe,
    filesystems.probe,
    slots.probe,
    kernel.probe,
    hardware.probe,
    memory.probe,
    watchdog.probe,
    mounts.probe,
    artifact_probes.probe,
    trust.probe,
    login.probe,
    identity.probe,
)
"""In the order in which the device meets them."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an examination of an image gives.

    Attributes:
        findings: every hazard that it shows.
        cover: what ends a silent hang.
        notes: what could not be looked at, and why.
    """

    findings: tuple[Finding, ...]
    cover: Cover
    notes: tuple[str, ...] = ()


def diagnose(
    path: Path,
    board: Board | None = None,
    *,
    is_booted: bool = False,
    artifact: Path | None = None,
) -> Diagnosis:
    """Every hazard that the image shows, and its watchdog.

    Args:
        board: what it is for; without it some hazards cannot be found.
        is_booted: whether it has run on a device already.
        artifact: an update that is to go with it.

    Raises:
        ImageError: it is not a disk image.
        ArtifactError: it is not an artifact, or is damaged.
        OSError: it cannot be read.
    """
    case = open_case(path, board, is_booted=is_booted, artifact=artifact)
    found = tuple(finding for probe in PROBES for finding in probe(case))
    judged = (note for each in case.hardware for note in each.notes)
    notes = (case.note, *(each.note for each in case.contents.values()), *judged)
    return Diagnosis(found, cover_of(case), tuple(filter(None, notes)))


def examine(
    path: Path,
    board: Board | None = None,
    *,
    is_booted: bool = False,
    artifact: Path | None = None,
) -> list[Finding]:
    """The hazards alone; the same otherwise."""
    found = diagnose(path, board, is_booted=is_booted, artifact=artifact)
    return list(found.findings)
