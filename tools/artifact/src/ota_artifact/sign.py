# SPDX-License-Identifier: Apache-2.0
"""Signs an artifact that exists: all of its bytes stay, and ``manifest.sig`` is put in.

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
    """The artifact has a signature, which was not to be replaced."""


def sign_artifact(
    source: Readable, destination: BinaryIO, signer: Signer, *, is_replacing: bool = False
) -> None:
    """Copy an artifact and sign it, in one pass; all of it is checked on the way.

    Args:
        source: the artifact, signed or not.
        destination: unbuffered; what is there after an error is no artifact.
        is_replacing: a signature that is there is replaced.

    Raises:
        AlreadySigned: it has a signature, and ``is_replacing`` is not set.
        ArtifactError: it is damaged, or cannot be signed.
        ProgramError: the signer is a program, and failed.
    """
    tee = _Tee(source)
    artifact = open_artifact(tee)
    if artifact.signature and not is_replacing:
        raise AlreadySigned("is signed already; --force signs it anew")
    signature = base64.b64encode(signer.sign(artifact.manifest.raw))
    put(destination, _with_signature(tee.so_far(), signature))
    tee.pass_on(destination)
    artifact.drain()


class _Tee:
    """Keeps what was read, and from `pass_on` on writes it elsewhere instead."""

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
    """The front of an artifact, up to its header tar, with another signature or its first."""
    source = Source(io.BytesIO(front), "artifact")
    outer = tar.TarReader(source, "artifact")
    kept = end = 0
    while (member := outer.next()) and member.name in {"version", "manifest", _SIGNATURE}:
        end = source.offset + member.size + len(tar.padding(member.size))
        kept = kept if member.name == _SIGNATURE else end
    signed = member_header(_SIGNATURE, len(signature)) + signature + tar.padding(len(signature))
    return front[:kept] + signed + front[end:]
