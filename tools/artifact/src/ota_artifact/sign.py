# SPDX-License-Identifier: Apache-2.0
"""Signs an existing artifact: all its bytes stay, and ``manifest.sig`` is inserted.

Source: mender-artifact, Documentation/artifact-format-v3.md ("manifest.sig" follows "manifest").
"""

import base64
import io
from typing import BinaryIO

from ota_artifact import tar
from ota_artifact.errors import ArtifactError
from ota_artifact.keys import Signer
from ota_artifact.output import put
from ota_artifact.reader import open_artifact
from ota_artifact.stream import Readable, Source
from ota_artifact.writer import member_header

_SIGNATURE = "manifest.sig"


class AlreadySigned(ArtifactError):
    """The artifact has a signature that must not be replaced."""


def sign_artifact(
    source: Readable, destination: BinaryIO, signer: Signer, *, is_replacing: bool = False
) -> None:
    """Copy an artifact and sign it, in one pass; all of it is checked on the way.

    Args:
        source: the artifact, signed or not.
        destination: unbuffered; after an error, what it holds is not an artifact.
        is_replacing: whether an existing signature is replaced.

    Raises:
        AlreadySigned: it has a signature, and ``is_replacing`` is not set.
        ArtifactError: it is damaged, or cannot be signed.
        ProgramError: the signer is a program, and failed.
    """
    tee = _Tee(source)
    artifact = open_artifact(tee)
    if artifact.signature and not is_replacing:
        raise AlreadySigned("is already signed; use --force to replace the signature")
    signature = base64.b64encode(signer.sign(artifact.manifest.raw))
    put(destination, _with_signature(tee.so_far(), signature))
    tee.pass_on(destination)
    artifact.drain()


class _Tee:
    """Keeps what was read; after `pass_on`, writes it elsewhere instead."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._kept = bytearray()
        self._destination: BinaryIO | None = None

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        if self._destination:
            put(self._destination, data)
        else:
            self._kept += data
        return data

    def so_far(self) -> bytes:
        return bytes(self._kept)

    def pass_on(self, destination: BinaryIO) -> None:
        self._kept.clear()
        self._destination = destination


def _with_signature(front: bytes, signature: bytes) -> bytes:
    """The front of an artifact, up to its header tar, with a new signature."""
    source = Source(io.BytesIO(front), "artifact")
    outer = tar.TarReader(source, "artifact")
    kept = end = 0
    while (member := outer.next()) and member.name in {"version", "manifest", _SIGNATURE}:
        end = source.offset + member.size + len(tar.padding(member.size))
        kept = kept if member.name == _SIGNATURE else end
    signed = member_header(_SIGNATURE, len(signature)) + signature + tar.padding(len(signature))
    return front[:kept] + signed + front[end:]
