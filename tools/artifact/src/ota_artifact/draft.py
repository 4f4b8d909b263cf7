# SPDX-License-Identifier: Apache-2.0
"""Changes an existing artifact, completely or not at all; what is not touched stays as it is."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ota_artifact.compression import Codec
from ota_artifact.compressors import OF_CODEC, Compression
from ota_artifact.errors import ArtifactError, about, blaming
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.image.disk import Image, open_image
from ota_artifact.image.filesystem import recognise
from ota_artifact.keys import Signer
from ota_artifact.output import put, replacing
from ota_artifact.payload import Payload, PayloadFile
from ota_artifact.provides import CHECKSUMS, ROOTFS
from ota_artifact.reader import open_artifact
from ota_artifact.spec import ArtifactSpec, FileSource, PackedData, PayloadSpec
from ota_artifact.stream import CHUNK
from ota_artifact.writer import Progress, write_artifact

_ZEROS = bytes(CHUNK)


class Draft:
    """An artifact that is being changed.

    Attributes:
        header: may be replaced; its payloads are in ``payloads``.
        payloads: may be replaced one by one.
        unpacked: where `image` unpacks to.
        was_signed: whether it had a signature, which a changed artifact loses.
        compression: that of its first payload.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self.unpacked = folder / "image"
        self._opened: Image | None = None
        self.payloads: list[PayloadSpec] = []
        codecs = []
        with about(str(path)), path.open("rb", buffering=0) as file:
            self._seen = _identity(os.fstat(file.fileno()))
            artifact = open_artifact(file)
            for payload in artifact.payloads():
                self.payloads.append(_taken_over(payload, path))
                codecs.append(payload.codec)
        self.header: Header = artifact.header
        self.was_signed = artifact.signature is not None
        self.compression: Compression = OF_CODEC[codecs[0]]
        self._codecs = set(codecs)

    @property
    def payload(self) -> PayloadHeader:
        """The header of the only payload.

        Raises:
            ArtifactError: there are several.
        """
        self._require_one()
        return self.payloads[0].header

    @payload.setter
    def payload(self, header: PayloadHeader) -> None:
        self._require_one()
        self.payloads[0] = replace(self.payloads[0], header=header)

    @property
    def has_image(self) -> bool:
        """Whether the only payload is a root filesystem whose files can be changed."""
        if len(self.payloads) != 1 or self.payload.type != ROOTFS:
            return False
        self._extract()
        return recognise(self.unpacked) in {"ext4", "vfat"} and self.image().exists("/etc/.")

    def image(self) -> Image:
        """The image in the only payload, unpacked, to read and to change.

        Raises:
            ArtifactError: there are several payloads, or it is not a filesystem image.
            OSError: no space to unpack it.
        """
        if self._opened:
            return self._opened
        self._extract()
        with blaming(self._path, self.unpacked):
            self._opened = open_image(self.unpacked)
        return self._opened

    def finished(self, compression: Compression | None = None) -> ArtifactSpec:
        """The artifact to write.

        Args:
            compression: for all payloads; by default, each keeps its own.

        Raises:
            ArtifactError: a changed filesystem is not consistent.
            OSError: no space to unpack what must be compressed again.
        """
        if self._opened and self._opened.is_changed:
            with blaming(self._path, self.unpacked):
                self._opened.check()
            spec = self.payloads[0]
            (name,) = _names(spec)
            self.payloads[0] = _with_checksum(
                replace(spec, content=(FileSource(name, self.unpacked),))
            )
        # Compressed data does not show its level; only zstd has several.
        if compression and (compression.codec is Codec.ZSTD or self._codecs != {compression.codec}):
            self._unpack()
        return ArtifactSpec(self.header, tuple(self.payloads))

    def _unpack(self) -> None:
        for number, spec in enumerate(self.payloads):
            if not isinstance(spec.content, PackedData):
                continue
            folder = self.unpacked.parent / f"{number:04}"
            folder.mkdir()
            files = []
            for file in _files(self._path, number):
                _store(file, folder / file.name)
                files.append(FileSource(file.name, folder / file.name))
            self.payloads[number] = replace(spec, content=tuple(files))

    def require_unchanged(self) -> None:
        """Pass if the artifact is still the one that was checked, and whose parts are copied.

        Raises:
            ArtifactError: another program has changed it meanwhile.
        """
        if _identity(self._path.stat()) != self._seen:
            raise ArtifactError(
                f"{self._path}: was changed by another program; nothing was written"
            )

    def _extract(self) -> None:
        self._require_one()
        if not self.unpacked.exists():
            extract_image(self._path, self.unpacked)

    def _require_one(self) -> None:
        if len(self.payloads) != 1:
            raise ArtifactError(
                f"{self._path}: has {len(self.payloads)} payloads; only one with a single"
                " payload can be changed"
            )


@contextmanager
def drafted(path: Path) -> Iterator[Draft]:
    """A draft of the artifact, to read or to write elsewhere.

    Raises:
        ArtifactError: it is damaged.
        OSError: it cannot be read, or there is no space for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="ota-draft-") as folder:
        yield Draft(path, Path(folder))


@contextmanager
def changing(
    path: Path,
    *,
    compression: Compression | None = None,
    signer: Signer | None = None,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """A draft of the artifact, which replaces it when the block ends well.

    Args:
        compression: compresses all payloads again with it; by default each stays as it is.

    Raises:
        ArtifactError: damaged, or the result would not be an artifact; the file is as it was.
        OSError: as `replacing`.
    """
    with drafted(path) as draft:
        with blaming(path, draft.unpacked):
            yield draft
        spec = draft.finished(compression)
        with replacing(path.absolute()) as output:
            write_artifact(
                output,
                spec,
                compression=compression or draft.compression,
                signer=signer,
                progress=progress,
            )
            draft.require_unchanged()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def extract_image(path: Path, destination: Path) -> None:
    """Unpack the only file of an artifact's only payload.

    Raises:
        ArtifactError: damaged, or more than one payload or file.
        OSError: no space.
    """
    with about(str(path)), path.open("rb", buffering=0) as file:
        artifact = open_artifact(file)
        counts = len(artifact.header.payloads), len(artifact.manifest.files)
        if counts != (1, 1):
            raise ArtifactError(
                f"payloads: {counts[0]}, files: {counts[1]}; only an artifact with one payload of"
                " one file holds an image"
            )
        for payload in artifact.payloads():
            for each in payload.files():
                _store(each, destination)


def _taken_over(payload: Payload, path: Path) -> PayloadSpec:
    digests = {file.name: file.sha256 for file in payload.files()}
    if not payload.size:
        return PayloadSpec(payload.header)
    data = PackedData(
        suffix=payload.codec.value,
        path=path,
        offset=payload.offset,
        size=payload.size,
        digests=digests,
    )
    return PayloadSpec(payload.header, data)


def _files(path: Path, number: int) -> Iterator[PayloadFile]:
    with about(str(path)), path.open("rb", buffering=0) as file:
        for payload in open_artifact(file).payloads():
            if payload.number == number:
                yield from payload.files()


def _store(file: PayloadFile, destination: Path) -> None:
    """Write a payload file, zeros as holes."""
    with destination.open("wb", buffering=0) as output:
        for chunk in file.chunks():
            if chunk == _ZEROS[: len(chunk)]:
                output.seek(len(chunk), 1)
                continue
            try:
                put(output, chunk)
            except OSError as error:
                error.filename = str(destination)
                raise
        output.truncate(file.size)


def _names(spec: PayloadSpec) -> tuple[str, ...]:
    if isinstance(spec.content, PackedData):
        return tuple(spec.content.digests)
    return tuple(file.name for file in spec.content)


def _with_checksum(spec: PayloadSpec) -> PayloadSpec:
    """The spec with the checksum that the payload provides, if any, to be computed again."""
    provides: Mapping[str, str] = spec.header.provides
    key = next((each for each in CHECKSUMS if each in provides), None)
    if key is None:
        return spec
    kept = {each: value for each, value in provides.items() if each not in CHECKSUMS}
    return replace(spec, header=replace(spec.header, provides=kept), checksum_provide=key)
