# SPDX-License-Identifier: Apache-2.0
"""Hazards of an artifact that is to be installed where the image was."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ota_artifact.errors import about
from ota_artifact.payload import PayloadFile
from ota_artifact.reader import open_artifact
from ota_board.size import format_size
from ota_image.disk.opened import Part
from ota_image.doctor.case import Case, Finding

_ROOTFS = "rootfs-image"
_PIECE = 1 << 20  # [B]


def probe(case: Case) -> Iterator[Finding]:
    """What does not go together.

    Raises:
        ArtifactError: it is none, or damaged.
        OSError: it cannot be read.
    """
    slot = case.disk.part("A")
    if case.artifact is None or slot is None:
        return
    with about(str(case.artifact)), case.artifact.open("rb") as file:
        artifact = open_artifact(file)
        yield from _device_types(case, artifact.header.compatible_types)
        for payload in artifact.payloads():
            for each in payload.files():
                if payload.header.type == _ROOTFS:
                    yield from _file(case, case.artifact, slot, each)


def _device_types(case: Case, types: tuple[str, ...]) -> Iterator[Finding]:
    if case.board and not set(types) & set(case.board.device_types):
        yield Finding(
            "artifact-for-other-device",
            str(case.artifact),
            f"it is for {', '.join(types)}, the board is {', '.join(case.board.device_types)}: no"
            " device takes it",
            "write it with the board's device type",
        )


def _file(case: Case, artifact: Path, slot: Part, file: PayloadFile) -> Iterator[Finding]:
    place = f"{artifact}: {file.name}"
    if file.size > slot.size:
        yield Finding(
            "payload-larger-than-slot",
            place,
            f"it has {format_size(file.size)}, a slot {format_size(slot.size)}: no device can"
            " install it",
            "make the root filesystem smaller; the slots of devices in the field do not grow",
        )
    elif not case.is_booted and _digest(slot, file.size) != file.sha256:
        yield Finding(
            "payload-not-slot",
            place,
            "it is not what slot A holds: devices from the factory differ from updated ones, and a"
            " delta does not fit them",
            "make image and artifact from the same root filesystem",
        )


def _digest(slot: Part, size: int) -> str:
    digest = hashlib.sha256()
    with slot.image.open("rb") as file:
        file.seek(slot.offset)
        while size and (piece := file.read(min(size, _PIECE))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()
