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
from ota_artifact.manifest import Manifest
from ota_artifact.names import check_script_name, shown
from ota_artifact.stream import Chunks, Source
from ota_artifact.tar import Member, TarReader

_HEADERS = re.compile(r"headers/([0-9]{4})/(files|type-info|meta-data)")
_DIRECTORIES = re.compile(r"(\./)?(scripts|headers(/[0-9]{4})?)?/?")


def read_header(packed: bytes, manifest: Manifest, version: int, limit: int) -> Header:
    """What the header tar says.

    Args:
        packed: the tar as stored, already found to be what the manifest says.
        version: of the format, 2 or 3.
        limit: how much it may unpack to [B].

    Raises:
        ArtifactError: damaged, too large, or anything in it unknown, missing or out of order.
    """
    what = manifest.header_name
    pieces = Decompressor(manifest.header_codec, what).run(iter((packed,)))
    source = Source(Chunks(_bounded(pieces, limit, what)), what)
    tar = TarReader(source, what, directories=True)
    member = _next_file(tar)
    if member is None or member.name != "header-info":
        raise ArtifactError(f"{what}: header-info must be its first file")
    info = parse_header_info(tar.read(member, limit), version)
    for number, name in manifest.files:
        if number >= len(info.types):
            raise ArtifactError(
                f"manifest: data/{number:04}/{name} belongs to no payload of header-info"
            )
    member = _next_file(tar)
    scripts: dict[str, Script] = {}
    while member and member.name.startswith("scripts/"):
        name = check_script_name(member.name.removeprefix("scripts/"), what)
        if name in scripts:
            raise ArtifactError(f"{what}: the script {name} stands twice")
        scripts[name] = Script(name, tar.read(member, limit))
        member = _next_file(tar)
    payloads = []
    for number in range(len(info.types)):
        payload, member = _read_payload_header(tar, member, info, number, version, manifest, limit)
        payloads.append(payload)
    if member:
        raise ArtifactError(
            f"{what}: {shown(member.name)} is unknown, stands twice or out of order"
        )
    header = Header(
        version,
        info.artifact_name,
        info.compatible_types,
        tuple(payloads),
        tuple(scripts.values()),
        info.artifact_group,
        info.depends_names,
        info.depends_groups,
    )
    _ = header.provides  # refuses a key that is given twice
    return header


def _read_payload_header(
    tar: TarReader,
    member: Member | None,
    info: HeaderInfo,
    number: int,
    version: int,
    manifest: Manifest,
    limit: int,
) -> tuple[PayloadHeader, Member | None]:
    """One ``headers/NNNN``, and the member after it."""
    found: dict[str, bytes] = {}
    order = ("files", "type-info", "meta-data") if version == 2 else ("type-info", "meta-data")
    for name in order:
        match = _HEADERS.fullmatch(member.name) if member else None
        if member and match and (int(match[1]), match[2]) == (number, name):
            found[name] = tar.read(member, limit)
            member = _next_file(tar)
        elif name != "meta-data":
            at = shown(member.name) if member else "the end"
            raise ArtifactError(f"header: headers/{number:04}/{name} is missing at {at}")
    kind = info.types[number]
    files = {name for owner, name in manifest.files if owner == number}
    _check_files(found, files, kind, f"headers/{number:04}")
    payload = parse_type_info(found["type-info"], kind, f"headers/{number:04}/type-info")
    meta_data = found.get("meta-data", b"")
    if meta_data:
        parse_object(meta_data, f"headers/{number:04}/meta-data")
    return replace(payload, meta_data=meta_data), member


def _check_files(found: dict[str, bytes], files: set[str], kind: str | None, what: str) -> None:
    if kind is None and ("meta-data" in found or files):
        raise ArtifactError(f"{what}: an empty payload has neither meta-data nor files")
    if kind == "rootfs-image" and len(files) != 1:
        raise ArtifactError(f"{what}: rootfs-image has one file; the manifest lists {len(files)}")
    if "files" in found:
        listed = parse_object(found["files"], f"{what}/files").get("files")
        if not isinstance(listed, list) or sorted(map(str, listed)) != sorted(files):
            raise ArtifactError(f"{what}/files: lists other files than the manifest")


def _next_file(tar: TarReader) -> Member | None:
    """The next member that is no directory; plain directories are passed over."""
    while (member := tar.next()) and member.is_directory:
        if not _DIRECTORIES.fullmatch(member.name):
            raise ArtifactError(f"header: {shown(member.name)} is not a directory of a header")
    return member


def _bounded(pieces: Iterator[bytes], limit: int, what: str) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise ArtifactError(f"{what}: unpacks to more than {limit} B; it is refused")
        yield piece
