# SPDX-License-Identifier: Apache-2.0
"""Artifacts made by our writer: if their bytes change, users get other bytes."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from unittest.mock import patch

from ota_artifact.compressors import COMPRESSIONS
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.keys import Signer
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.writer import write_artifact
from tests.golden.cases import Good
from tests.golden.keys import EC_KEY


def written() -> Iterator[Good]:
    """One of each kind that our writer makes."""
    rootfs = PayloadHeader(
        type="rootfs-image",
        provides={"rootfs-image.version": "release-2"},
        clears=("rootfs-image.*",),
    )
    yield _written("written-rootfs-image", rootfs)
    yield _written("written-version-2", PayloadHeader(type="rootfs-image"), version=2)
    yield _written("written-bootstrap", PayloadHeader(type=None, provides={"k": "v"}), count=0)
    module = PayloadHeader(
        type="single-file", depends={"k": ("v", "w")}, meta_data=b'{"b":1,"a":[2]}'
    )
    yield _written("written-module", module, count=2, compression="zstd_fast", signer=EC_KEY)


def _written(
    name: str,
    header: PayloadHeader,
    *,
    version: int = 3,
    count: int = 1,
    compression: str = "gzip",
    signer: Signer | None = None,
) -> Good:
    scripts = (Script("ArtifactInstall_Enter_00", b"#!/bin/sh\n"),) if count else ()
    head = Header(
        version=version,
        artifact_name="release-2",
        compatible_types=("board",),
        payloads=(header,),
        scripts=scripts,
    )
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, SOURCE_DATE_EPOCH="1"):
        files = []
        for number in range(count):
            path = Path(folder, f"file-{number}")
            path.write_bytes(b"content %d\n" % number)
            files.append(FileSource(path.name, path))
        spec = ArtifactSpec(head, (PayloadSpec(header, tuple(files)),))
        path = Path(folder, "artifact")
        with path.open("wb", buffering=0) as file:
            write_artifact(
                cast(BinaryIO, file), spec, compression=COMPRESSIONS[compression], signer=signer
            )
        content = path.read_bytes()
    keys = (EC_KEY.public,) if signer else ()
    return Good(name=name, content=content, keys=keys)
