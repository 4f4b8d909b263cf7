# SPDX-License-Identifier: Apache-2.0
"""Reads the header tar: header-info, state scripts, and each payload's type-info and meta-data."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ota_artifact.compression import Decompressor
from ota_artifact.errors import ArtifactError
from ota_artifact.header import (
    Header,
    HeaderInfo,
    PayloadHeader,
    Script,
    parse_header_info,
    parse_type_info,
)
from ota_artifact.json_text import parse_object
from ota_artifact.limits import Limits
from ota_artifact.manifest import Manifest
from ota_artifact.names import check_script_name, shown
from ota_artifact.provides import ROOTFS
from ota_artifact.stream import Chunks, Source
from ota_artifact.tar import Member, TarReader

_HEADERS = re.compile(r"headers/([0-9]{4})/(files|type-info|meta-data)")
_DIRECTORIES = re.compile(r"(\./)?(scripts|headers(/[0-9]{4})?)?/?")


def read_header(packed: bytes, manifest: Manifest, version: int, limits: Limits) -> Header:
    """What the header tar says.

    Args:
        packed: the tar as stored, already checked against the manifest.
        version: of the format, 2 or 3.
        limits: how much it may unpack to, and how much of that may be JSON.

    Raises:
        ArtifactError: damaged, too large, or anything in it unknown, missing or out of order.
    """
    tar = _HeaderTar(packed, manifest, limits)
    if tar.member is None or tar.member.name != "header-info":
        raise ArtifactError(f"{manifest.header_name}: header-info must be its first file")
    info = parse_header_info(tar.json(), version)
    files = _by_payload(manifest, len(info.types))
    scripts = _read_scripts(tar)
    payloads = tuple(
        _read_payload_header(tar, info, number, version, files[number])
        for number in range(len(info.types))
    )
    if tar.member:
        raise ArtifactError(
            f"{tar.name}: {shown(tar.member.name)} is unknown, repeated or out of order"
        )
    header = Header(
        version=version,
        artifact_name=info.artifact_name,
        compatible_types=info.compatible_types,
        payloads=payloads,
        scripts=scripts,
        artifact_group=info.artifact_group,
        depends_names=info.depends_names,
        depends_groups=info.depends_groups,
    )
    _ = header.provides  # refuses a key that is provided twice
    return header


class _HeaderTar:
    """The header tar, file by file; directories are skipped.

    Attributes:
        name: as the manifest calls it.
        member: the file whose content is next; None at the end.
    """

    def __init__(self, packed: bytes, manifest: Manifest, limits: Limits) -> None:
        self.name = manifest.header_name
        self._limit = limits.header
        self._json_left = limits.json
        pieces = Decompressor(manifest.header_codec, self.name).run(iter((packed,)))
        source = Source(Chunks(_bounded(pieces, limits.header, self.name)), self.name)
        self._tar = TarReader(source, self.name, directories=True)
        self.member = self._next()

    def content(self) -> bytes:
        """The content of ``member``; then ``member`` is the next one."""
        assert self.member  # noqa: S101 -- the caller has looked at its name
        content = self._tar.read(self.member, self._limit)
        self.member = self._next()
        return content

    def json(self) -> bytes:
        """`content` of a file that will be parsed; all of these share one limit."""
        if self.member and self.member.size > self._json_left:
            raise ArtifactError(
                f"{self.name}: {shown(self.member.name)} has {self.member.size} B; header-info,"
                f" type-info and meta-data may only have another {self._json_left} B"
            )
        content = self.content()
        self._json_left -= len(content)
        return content

    def _next(self) -> Member | None:
        while (member := self._tar.next()) and member.is_directory:
            if not _DIRECTORIES.fullmatch(member.name):
                raise ArtifactError(
                    f"{self.name}: {shown(member.name)} is not a directory of a header"
                )
        return member


def _by_payload(manifest: Manifest, count: int) -> list[set[str]]:
    """The names of the files that the manifest lists for each of ``count`` payloads."""
    files: list[set[str]] = [set() for _ in range(count)]
    for number, name in manifest.files:
        if number >= count:
            raise ArtifactError(
                f"manifest: data/{number:04}/{name} does not belong to a payload of header-info"
            )
        files[number].add(name)
    return files


def _read_scripts(tar: _HeaderTar) -> tuple[Script, ...]:
    scripts: dict[str, Script] = {}
    while tar.member and tar.member.name.startswith("scripts/"):
        name = check_script_name(tar.member.name.removeprefix("scripts/"), tar.name)
        if name in scripts:
            raise ArtifactError(f"{tar.name}: the script {name} appears twice")
        scripts[name] = Script(name, tar.content())
    return tuple(scripts.values())


def _read_payload_header(
    tar: _HeaderTar, info: HeaderInfo, number: int, version: int, files: set[str]
) -> PayloadHeader:
    """One ``headers/NNNN``."""
    found: dict[str, bytes] = {}
    order = ("files", "type-info", "meta-data") if version == 2 else ("type-info", "meta-data")
    for name in order:
        match = _HEADERS.fullmatch(tar.member.name) if tar.member else None
        if match and (int(match[1]), match[2]) == (number, name):
            found[name] = tar.json()
        elif name != "meta-data":
            at = shown(tar.member.name) if tar.member else "the end"
            raise ArtifactError(f"{tar.name}: headers/{number:04}/{name} is missing before {at}")
    kind = info.types[number]
    _check_files(found, files, kind, f"headers/{number:04}")
    payload = parse_type_info(found["type-info"], kind, f"headers/{number:04}/type-info")
    meta_data = found.get("meta-data", b"")
    if meta_data:
        parse_object(meta_data, f"headers/{number:04}/meta-data")
    return replace(payload, meta_data=meta_data)


def _check_files(found: dict[str, bytes], files: set[str], kind: str | None, what: str) -> None:
    if kind is None and ("meta-data" in found or files):
        raise ArtifactError(f"{what}: an empty payload has neither meta-data nor files")
    if kind == ROOTFS and len(files) != 1:
        raise ArtifactError(f"{what}: rootfs-image has one file; the manifest lists {len(files)}")
    if "files" in found:
        listed = parse_object(found["files"], f"{what}/files").get("files")
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise ArtifactError(f"{what}/files: must list the names of files")
        if sorted(listed) != sorted(files):
            raise ArtifactError(f"{what}/files: lists other files than the manifest does")


def _bounded(pieces: Iterator[bytes], limit: int, what: str) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise ArtifactError(f"{what}: unpacks to more than the limit of {limit} B")
        yield piece
