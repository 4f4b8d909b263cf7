# SPDX-License-Identifier: Apache-2.0
"""Files in an artifact's root filesystem or a disk image, as the commands name them."""

import argparse
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.cli.failure import Failure
from ota_artifact.cli.header_options import warn
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import signer_of
from ota_artifact.draft import changing, extract_image
from ota_artifact.errors import ArtifactError, blaming
from ota_artifact.image.disk import Image, edit, open_image, place_of
from ota_artifact.tar import is_tar

IMAGE_HELP = "an artifact (*.mender), a disk image (*.sdimg) or a filesystem image (*.ext4)"

_EXTENSION = re.compile(r"\.(mender|sdimg|uefiimg|img)(?=:)")


@dataclass(frozen=True, slots=True)
class Inside:
    """A path in an image: ``image:path``.

    Attributes:
        image: the host's file.
        path: absolute, in the running system.
    """

    image: Path
    path: str


def inside(text: str) -> Inside | None:
    """What ``image:path`` names; None if the text is a file of the host.

    The image's name may contain colons: it ends at the first one after the name of an existing
    file, or after the extension of an image.
    """
    for match in re.finditer(":", text):
        image, path = text[: match.start()], text[match.end() :]
        if Path(image).is_file() or _EXTENSION.search(text, 0, match.end()):
            return Inside(Path(image), path if path.startswith("/") else f"/{path}")
    return None


def required(text: str) -> Inside:
    """What ``image:path`` names.

    Raises:
        Failure: the text does not have this form.
    """
    found = inside(text)
    if found is None:
        raise Failure(f"{text}: is not a path in an image; write it as v2.mender:/etc/x")
    return found


@contextmanager
def reading(place: Inside) -> Iterator[Image]:
    """The image that the place is in, to read from.

    Raises:
        ArtifactError: not an image, or a path that is not in an artifact.
        OSError: no space to unpack it.
    """
    _require_file(place.image)
    if not is_tar(place.image):
        yield open_image(place.image)
        return
    _require_root(place)
    with tempfile.TemporaryDirectory(prefix="ota-image-") as folder:
        copy = Path(folder) / "image"
        extract_image(place.image, copy)
        with blaming(place.image, copy):
            yield open_image(copy)


@contextmanager
def writing(place: Inside, args: argparse.Namespace) -> Iterator[Image]:
    """The image that the place is in, to change completely or not at all.

    Raises:
        ArtifactError: not an image, or a path that is not in an artifact.
        OSError: no space, or it cannot be written.
    """
    _require_file(place.image)
    signer = signer_of(args)
    if not is_tar(place.image):
        if signer:
            raise Failure(f"{place.image}: is not an artifact; only artifacts are signed")
        with edit(place.image) as image:
            yield image
        return
    _require_root(place)
    with (
        progress("writing") as tell,
        changing(place.image, signer=signer, progress=tell) as draft,
    ):
        yield draft.image()
    if draft.was_signed and not signer:
        warn_unsigned(place.image)


def warn_unsigned(path: Path) -> None:
    """Warn that a change has dropped the signature."""
    warn(f"{path}: lost its signature; sign it again with `ota-artifact sign`, or give --key")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise Failure(f"{path}: no such file")


def _require_root(place: Inside) -> None:
    partition, _ = place_of(place.path)
    if partition != "slots":
        raise ArtifactError(
            f"{place.image}:{place.path}: is on the {partition} partition, which artifacts do not"
            " have"
        )
