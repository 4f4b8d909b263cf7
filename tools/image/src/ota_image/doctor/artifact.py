# SPDX-License-Identifier: Apache-2.0
"""Hazards of an artifact that will update devices made from the image."""

import hashlib
from collections.abc import Iterator

from ota_artifact.errors import about
from ota_artifact.finding import Finding
from ota_artifact.payload import PayloadFile
from ota_artifact.provides import ROOTFS
from ota_artifact.reader import open_artifact
from ota_artifact.size import format_size
from ota_image.disk.image import Part
from ota_image.doctor.case import Case

_PIECE = 1 << 20  # [B]


def probe(case: Case) -> Iterator[Finding]:
    """What does not fit together.

    Raises:
        ArtifactError: it is not an artifact, or is damaged.
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
                if payload.header.type == ROOTFS:
                    yield from _file(case, artifact.header.artifact_name, slot, each)


def _device_types(case: Case, types: tuple[str, ...]) -> Iterator[Finding]:
    if case.board and not set(types) & set(case.board.device_types):
        yield Finding(
            hazard="artifact-for-other-device",
            place=str(case.artifact),
            cause=f"it is for {', '.join(types)}, the board is"
            f" {', '.join(case.board.device_types)}: no device installs it",
            remedy="write it with the board's device type",
        )


def _name(case: Case, name: str) -> Iterator[Finding]:
    """A device from the factory reports the name that the slot has."""
    own = next((slot.artifact for slot in case.slots if slot.part.name == "A"), "")
    if own and own != name:
        yield Finding(
            hazard="artifact-name-differs",
            place=f"{case.artifact}: {name}",
            cause=f"slot A calls itself {own}: the server offers this update to a device from the"
            " factory, which already runs it",
            remedy="write the artifact's name into /etc/mender/artifact_info before both are made",
        )


def _file(case: Case, name: str, slot: Part, file: PayloadFile) -> Iterator[Finding]:
    place = f"{case.artifact}: {file.name}"
    if file.size > slot.size:
        yield Finding(
            hazard="payload-larger-than-slot",
            place=place,
            cause=f"it has {format_size(file.size)}, a slot {format_size(slot.size)}: no device can"
            " install it",
            remedy="make the root filesystem smaller; the slots of devices in the field do not"
            " grow",
        )
    elif case.is_booted:
        return
    elif _digest(slot, file.size) == file.sha256:
        yield from _name(case, name)
    else:
        yield Finding(
            hazard="payload-not-slot",
            place=place,
            cause="it is not what slot A holds: devices from the factory differ from updated ones,"
            " and a delta does not fit them",
            remedy="make image and artifact from the same root filesystem",
        )


def _digest(slot: Part, size: int) -> str:
    digest = hashlib.sha256()
    with slot.image.open("rb") as file:
        file.seek(slot.offset)
        while size and (piece := file.read(min(size, _PIECE))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()
