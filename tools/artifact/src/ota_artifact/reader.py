# SPDX-License-Identifier: Apache-2.0
"""Reads an artifact from a stream, once, in bounded memory, without temporary files.

The order of trust: ``version`` and ``manifest`` are read; the signature is checked over the
manifest; the header tar is checked against the manifest while still compressed, then unpacked;
each payload file is checked against the manifest while it is read. What the manifest does not list
is refused, and every size has a limit before anything is read.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ota_artifact.compression import Codec, Decompress, Decompressor
from ota_artifact.errors import (
    ArtifactError,
    SignatureError,
    UnsupportedFeature,
    UnsupportedVersion,
)
from ota_artifact.header import Header, parse_version
from ota_artifact.header_tar import read_header
from ota_artifact.keys import PublicKey
from ota_artifact.limits import Limits
from ota_artifact.manifest import Manifest, parse_manifest
from ota_artifact.names import shown
from ota_artifact.payload import Payload
from ota_artifact.stream import Readable, Source
from ota_artifact.tar import Member, TarReader

_DATA = re.compile(r"data/([0-9]{4})\.tar(|\.gz|\.xz|\.zst)")


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature in an artifact; `signer` tells whether a key made it.

    Attributes:
        raw: as the key made it: RSA, raw ``r || s``, or DER.
        manifest: the bytes that it covers.
    """

    raw: bytes
    manifest: bytes

    def signer(self, keys: Sequence[PublicKey]) -> PublicKey | None:
        """The first of ``keys`` that made this signature, or None."""
        return next((key for key in keys if key.verifies(self.manifest, self.raw)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an artifact has before its payloads, as it is stored; all that its signature is for.

    Attributes:
        signature: in base64; None if it is not signed.
        header: the tar, compressed.
    """

    version: bytes
    manifest: bytes
    signature: bytes | None
    header: bytes


class Artifact:
    """An artifact whose header has been read and whose payloads follow.

    Attributes:
        version: of the format, 2 or 3.
        manifest: the digests of all its files.
        signature: None if it is not signed.
        header: names, compatibility, state scripts, type-infos.
        signed_by: the key that made the signature, if keys were given.
        is_checked: whether all of it has been read, and matches the manifest.
    """

    def __init__(
        self,
        outer: TarReader,
        source: Source,
        *,
        manifest: Manifest,
        signature: Signature | None,
        signed_by: PublicKey | None,
        header: Header,
        head: Head,
        decompress: Decompress,
    ) -> None:
        self._head: Head | None = head
        self._decompress = decompress
        self.version = header.version
        self.manifest = manifest
        self.signature = signature
        self.signed_by = signed_by
        self.header = header
        self.is_checked = False
        self._payloads = self._read(outer, source)

    def take_head(self) -> Head:
        """Its head as it is stored, once: it may be large, and is not kept here."""
        head, self._head = self._head, None
        if head is None:
            raise ValueError("the head was taken already")
        return head

    def payloads(self) -> Iterator[Payload]:
        """Each payload, once; the rest that the caller leaves is read and checked, too.

        The artifact is intact and genuine only if this iterator has ended without an error.

        Raises:
            ArtifactError: anything is damaged, truncated, missing, or not listed.
        """
        return self._payloads

    def drain(self) -> None:
        """Read the rest, to check it.

        Raises:
            ArtifactError: as `payloads`.
        """
        for payload in self._payloads:
            for _ in payload.files():
                pass
        if not self.is_checked:  # an earlier reader closed it, or continued after an error
            raise ArtifactError("artifact: was not read to its end, so it is not checked")

    def _read(self, outer: TarReader, source: Source) -> Iterator[Payload]:
        expected: list[dict[str, str]] = [{} for _ in self.header.payloads]
        for (number, name), digest in self.manifest.files.items():
            expected[number][name] = digest
        number = 0
        while member := outer.next():
            _refuse_augmented(member)
            match = _DATA.fullmatch(member.name)
            if not match or int(match[1]) not in range(number, len(expected)):
                raise ArtifactError(
                    f"artifact: {shown(member.name)} is out of place; after the header come"
                    f" {len(expected)} payloads, data/0000.tar and so on, in order"
                )
            yield from self._without_data(number, int(match[1]), expected)
            number = int(match[1])
            payload = Payload(
                number,
                self.header.payloads[number],
                codec=Codec(match[2]),
                offset=source.offset,
                size=member.size,
                decompress=self._decompress,
            )
            payload.feed(outer.chunks, expected[number])
            yield payload
            for _ in payload.files():
                pass
            if not payload.is_checked:  # its reader closed it, or continued after an error
                raise ArtifactError(f"artifact: {member.name} was not read to its end")
            number += 1
        yield from self._without_data(number, len(expected), expected)
        self.is_checked = True

    def _without_data(
        self, start: int, end: int, expected: list[dict[str, str]]
    ) -> Iterator[Payload]:
        for number in range(start, end):
            if expected[number]:
                raise ArtifactError(f"artifact: data/{number:04}.tar is missing")
            yield Payload(number, self.header.payloads[number])


def open_artifact(
    stream: Readable,
    *,
    keys: Sequence[PublicKey] = (),
    limits: Limits | None = None,
    decompress: Decompress = Decompressor,
) -> Artifact:
    """Read an artifact up to its first payload byte.

    Args:
        stream: read forward only, and past the artifact's end only through its padding.
        keys: if any are given, one of them must have signed the artifact.
        limits: how large the small files may be.
        decompress: makes what unpacks the payloads; the header is unpacked here, once its
            signature is verified.

    Raises:
        ArtifactError: not an artifact, damaged, or not allowed; the text names the place.
        UnsupportedVersion: a format version other than 2 and 3.
        UnsupportedFeature: an augmented artifact, or tar features that are not supported.
        SignatureError: keys are given, and none of them has signed it.
    """
    limits = limits or Limits()
    source = Source(stream, "artifact")
    outer = TarReader(source, "artifact")
    raw_version = _small(outer, "version", limits.version)
    version = parse_version(raw_version)
    if version not in {2, 3}:
        raise UnsupportedVersion(f"version: format version {version} is not supported; 2 and 3 are")
    manifest = parse_manifest(_small(outer, "manifest", limits.manifest))
    _check_digest(raw_version, manifest.version, "version")
    member = _next(outer, f"manifest.sig or {manifest.header_name}")
    signature = raw_signature = None
    if member.name == "manifest.sig":
        raw_signature = outer.read(member, limits.signature)
        signature = Signature(_base64(raw_signature), manifest.raw)
        member = _next(outer, manifest.header_name)
    signed_by = _check_signature(signature, keys)
    if member.name != manifest.header_name:
        raise ArtifactError(
            f"artifact: found {shown(member.name)} instead of {manifest.header_name}"
        )
    packed = outer.read(member, limits.packed_header)
    _check_digest(packed, manifest.header, manifest.header_name)
    header = read_header(packed, manifest, version, limits)
    head = Head(version=raw_version, manifest=manifest.raw, signature=raw_signature, header=packed)
    return Artifact(
        outer,
        source,
        manifest=manifest,
        signature=signature,
        signed_by=signed_by,
        header=header,
        head=head,
        decompress=decompress,
    )


def check_head(
    head: Head, *, keys: Sequence[PublicKey] = (), limits: Limits | None = None
) -> tuple[Header, Manifest]:
    """What the head of an artifact says, once it is found to be whole, and signed.

    Args:
        keys: if any are given, one of them must have signed it.

    Raises:
        ArtifactError: as `open_artifact`.
    """
    manifest = parse_manifest(head.manifest)
    _check_digest(head.version, manifest.version, "version")
    signature = None
    if head.signature is not None:
        signature = Signature(_base64(head.signature), manifest.raw)
    _check_signature(signature, keys)
    _check_digest(head.header, manifest.header, manifest.header_name)
    version = parse_version(head.version)
    return read_header(head.header, manifest, version, limits or Limits()), manifest


def _next(outer: TarReader, wanted: str) -> Member:
    member = outer.next()
    if member is None:
        raise ArtifactError(f"artifact: ends before {wanted}")
    _refuse_augmented(member)
    return member


def _refuse_augmented(member: Member) -> None:
    if member.name.startswith(("manifest-augment", "header-augment")):
        raise UnsupportedFeature(
            f"artifact: is augmented ({shown(member.name)}), which is not supported: no signature"
            " covers the additions"
        )


def _small(outer: TarReader, name: str, limit: int) -> bytes:
    member = _next(outer, name)
    if member.name != name:
        raise ArtifactError(f"artifact: found {shown(member.name)} instead of {name}")
    return outer.read(member, limit)


def _check_digest(content: bytes, expected: str, name: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if not hmac.compare_digest(digest, expected):
        raise ArtifactError(f"{name}: its sha256 is {digest}, the manifest says {expected}")


def _base64(raw: bytes) -> bytes:
    try:
        signature = base64.b64decode(raw.removesuffix(b"\n"), validate=True)
    except binascii.Error as error:
        raise ArtifactError(f"manifest.sig: is not base64: {error}") from error
    if not signature:
        raise ArtifactError("manifest.sig: is empty")
    return signature


def _check_signature(signature: Signature | None, keys: Sequence[PublicKey]) -> PublicKey | None:
    if not keys:
        return None
    if signature is None:
        raise SignatureError("artifact: is not signed; as keys are given, it must be")
    signer = signature.signer(keys)
    if signer is None:
        names = ", ".join(key.name for key in keys)
        raise SignatureError(f"manifest.sig: was not made by any of the given keys ({names})")
    return signer
