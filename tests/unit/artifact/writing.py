# SPDX-License-Identifier: Apache-2.0
"""Artifacts that the tests have written."""

from pathlib import Path
from typing import BinaryIO, cast

from ota_artifact.compressors import COMPRESSIONS
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.keys import Signer
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.writer import write_artifact

MODULE = PayloadHeader(type="files")


def sources(folder: Path, contents: dict[str, bytes]) -> tuple[FileSource, ...]:
    """Payload files with these contents."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(FileSource(name, folder / name) for name in contents)


def spec(*payloads: PayloadSpec, version: int = 3) -> ArtifactSpec:
    """A minimal artifact with these payloads."""
    headers = tuple(payload.header for payload in payloads)
    return ArtifactSpec(
        Header(
            version=version,
            artifact_name="release-2",
            compatible_types=("board",),
            payloads=headers,
        ),
        payloads,
    )


def written(
    wanted: ArtifactSpec, path: Path, compression: str = "gzip", signer: Signer | None = None
) -> bytes:
    """The bytes of the artifact, through a file at ``path``."""
    with path.open("w+b", buffering=0) as file:
        how = COMPRESSIONS[compression]
        write_artifact(cast(BinaryIO, file), wanted, compression=how, signer=signer)
    return path.read_bytes()
