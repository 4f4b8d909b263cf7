# SPDX-License-Identifier: Apache-2.0
"""The manifest comes before the payloads and is known after them: where they wait for it."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ota_artifact.compressors import COMPRESSIONS, Compression
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.output import replacing
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.writer import write_artifact


@dataclass(frozen=True)
class _Signs:
    """Signatures of a given length [B]; 512 is RSA 4096, more than the space that is reserved."""

    size: int

    def sign(self, message: bytes) -> bytes:
        return bytes(self.size)


def _spec(folder: Path) -> ArtifactSpec:
    names = ("one", "two")
    for name in names:
        (folder / name).write_bytes(os.urandom(3 << 19) + bytes(1 << 21) + name.encode())
    header = Header(version=3, artifact_name="release", compatible_types=("board",), payloads=())
    contents = ((FileSource("one", folder / "one"),), (FileSource("two", folder / "two"),), ())
    payloads = (PayloadSpec(PayloadHeader(type="files"), content) for content in contents)
    return ArtifactSpec(header, tuple(payloads))


def _piped(spec: ArtifactSpec, how: Compression, signer: _Signs | None) -> bytes:
    reading, writing = os.pipe()
    received: list[bytes] = []
    with os.fdopen(reading, "rb") as source:
        reader = threading.Thread(target=lambda: received.append(source.read()))
        reader.start()
        with os.fdopen(writing, "wb", buffering=0) as sink:
            write_artifact(cast(BinaryIO, sink), spec, compression=how, signer=signer)
        reader.join(timeout=10)
    return received[0]


@pytest.mark.parametrize("signer", [None, _Signs(64), _Signs(512)])
@pytest.mark.parametrize("name", ["none", "gzip", "zstd_fast"])
def test_a_file_and_a_pipe_get_the_same_artifact(
    tmp_path: Path, name: str, signer: _Signs | None
) -> None:
    spec = _spec(tmp_path)
    piped = _piped(spec, COMPRESSIONS[name], signer)

    with replacing(tmp_path / "artifact") as file:
        write_artifact(file, spec, compression=COMPRESSIONS[name], signer=signer)

    assert (tmp_path / "artifact").read_bytes() == piped


def test_content_of_a_file_before_an_artifact_stays(tmp_path: Path) -> None:
    spec = _spec(tmp_path)
    with replacing(tmp_path / "artifact") as alone:
        write_artifact(alone, spec)

    with replacing(tmp_path / "second") as file:
        os.write(file.fileno(), b"before")
        write_artifact(file, spec)

    written = (tmp_path / "second").read_bytes()
    assert written == b"before" + (tmp_path / "artifact").read_bytes()


def test_an_artifact_goes_to_its_file_without_a_copy_elsewhere(tmp_path: Path) -> None:
    spec = _spec(tmp_path)

    with replacing(tmp_path / "artifact") as file:
        write_artifact(file, spec, signer=_Signs(64), temporary=tmp_path / "missing")

    assert (tmp_path / "artifact").stat().st_size > 3 << 20
