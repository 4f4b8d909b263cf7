# SPDX-License-Identifier: Apache-2.0
"""An artifact to write, as a value, and the check that a reader would accept it."""

from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.errors import ArtifactError
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.json_text import format_object, parse_object
from ota_artifact.manifest import PAYLOADS
from ota_artifact.names import (
    check_file_name,
    check_payload_type,
    check_script_name,
    check_text,
)
from ota_artifact.provides import ROOTFS
from ota_artifact.security_version import security_version


@dataclass(frozen=True, slots=True)
class FileSource:
    """A payload file to write: its name in the artifact, and where its content is."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedData:
    """A payload's tar in another artifact, to be copied unchanged.

    Attributes:
        suffix: of its codec: ``""``, ``.gz``, ``.xz``, ``.zst``.
        path: of that artifact.
        offset: where it begins there [B].
        size: its length as stored [B].
        digests: sha256 [hex] of its files by name, in stored order.
    """

    suffix: str
    path: Path
    offset: int
    size: int
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class PayloadSpec:
    """A payload to write.

    Attributes:
        header: what the artifact says about it.
        content: its files, or a ready tar.
        checksum_provide: key under which the sha256 of its one file is provided, if any.
    """

    header: PayloadHeader
    content: tuple[FileSource, ...] | PackedData = ()
    checksum_provide: str | None = None

    @property
    def files(self) -> tuple[FileSource, ...]:
        """The files to pack."""
        return () if isinstance(self.content, PackedData) else self.content


@dataclass(frozen=True, slots=True)
class ArtifactSpec:
    """An artifact to write: its header (whose payloads are filled in), and the payloads."""

    header: Header
    payloads: tuple[PayloadSpec, ...]


def file_source(path: Path) -> FileSource:
    """A payload file from the host, under its own name.

    Raises:
        ArtifactError: an artifact cannot hold its name.
    """
    return FileSource(check_file_name(path.name, f"{path}"), path)


def checked(spec: ArtifactSpec) -> ArtifactSpec:
    """The spec with canonical meta-data and sorted scripts.

    Raises:
        ArtifactError: a reader would refuse the artifact.
    """
    header = spec.header
    if header.version not in {2, 3}:
        raise ArtifactError(f"version: {header.version} is not supported; use 2 or 3")
    check_text(header.artifact_name, "artifact name")
    for name in (*header.compatible_types, *header.depends_names, *header.depends_groups):
        check_text(name, "device type, artifact name or group")
    if header.artifact_group:
        check_text(header.artifact_group, "artifact group")
    if not header.compatible_types:
        raise ArtifactError("compatible types: name at least one device type")
    if not 0 < len(spec.payloads) <= PAYLOADS:
        raise ArtifactError(f"payloads: there must be 1 to {PAYLOADS}")
    names = [check_script_name(script.name, script.name) for script in header.scripts]
    if len(set(names)) != len(names):
        raise ArtifactError("scripts: two have the same name; rename one")
    if header.version == 2 and (
        header.artifact_group or header.depends_names or header.depends_groups
    ):
        raise ArtifactError("format version 2 has no groups and no depends; write version 3")
    payloads = tuple(_checked_payload(each, header.version) for each in spec.payloads)
    header = replace(
        header,
        payloads=tuple(each.header for each in payloads),
        scripts=tuple(sorted(header.scripts, key=lambda script: script.name)),
    )
    _ = header.provides  # refuses a key that is provided twice
    return ArtifactSpec(header, payloads)


def _checked_payload(spec: PayloadSpec, version: int) -> PayloadSpec:
    header = spec.header
    count = len(spec.content.digests if isinstance(spec.content, PackedData) else spec.content)
    if header.type is None and (header.meta_data or count):
        raise ArtifactError("an empty payload cannot have files or meta-data")
    if header.type is not None:
        check_payload_type(header.type, "payload type")
    if header.type == ROOTFS and count != 1:
        raise ArtifactError(f"rootfs-image takes one file, not {count}")
    if version == 2 and header.type != ROOTFS:
        raise ArtifactError("format version 2 holds rootfs-image only; write version 3")
    if version == 2 and (header.provides or header.depends or header.clears):
        raise ArtifactError("format version 2 has no provides and no depends; write version 3")
    names = [check_file_name(file.name, f"{file.path}") for file in spec.files]
    if len(set(names)) != len(names):
        raise ArtifactError("files: two have the same name; rename one")
    for key in (*header.provides, *header.depends):
        check_text(key, "provides or depends key")
    _ = security_version(header)  # refuses one that no device would take
    if not header.meta_data:
        return spec
    value = parse_object(header.meta_data, "meta-data")
    meta_data = format_object(value, sort=True) if value else b""
    return replace(spec, header=replace(header, meta_data=meta_data))
