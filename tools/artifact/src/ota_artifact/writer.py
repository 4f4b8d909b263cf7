# SPDX-License-Identifier: Apache-2.0
"""Writes artifacts: the same input gives the same bytes, on any machine, at any time.

All times in an artifact are ``SOURCE_DATE_EPOCH`` (0 if it is not set), owners are 0:0, modes are
fixed. A payload is compressed while it is hashed, in one pass over its file.
"""

import base64
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ota_artifact import tar
from ota_artifact.compressors import (
    DEFAULT,
    MEMBER,
    Compression,
    compress,
    compress_whole,
)
from ota_artifact.errors import ArtifactError
from ota_artifact.header import (
    format_header_info,
    format_type_info,
    format_version,
)
from ota_artifact.json_text import format_object
from ota_artifact.keys import Signer
from ota_artifact.limits import Limits
from ota_artifact.manifest import format_manifest
from ota_artifact.output import can_be_edited, copy, fill_room, put, put_all, spill
from ota_artifact.provides import ROOTFS
from ota_artifact.spec import ArtifactSpec, FileSource, PackedData, PayloadSpec, checked

Progress = Callable[[int, int], None]
"""Called with the payload bytes done, and their total [B]."""

_Digests = dict[str, str]  # sha256 [hex] of a payload's files by name

_SIGNATURE = 384  # [B] of RSA 3072; in base64 one tar block, as for ECDSA


class _Count:
    """Adds up payload bytes for the progress callback."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def write_artifact(
    destination: BinaryIO,
    spec: ArtifactSpec,
    *,
    compression: Compression = DEFAULT,
    signer: Signer | None = None,
    progress: Progress | None = None,
    temporary: Path | None = None,
) -> None:
    """Write an artifact to an unbuffered file or pipe.

    The manifest comes before the payloads, but is known only after them. A file has room left for
    it, which is filled at the end; for a pipe, the payloads wait in a nameless temporary file.

    Args:
        compression: of the header, and of payloads that are not ready tars.
        progress: called for each MiB.
        temporary: folder of the temporary file; by default the system's.

    Raises:
        ArtifactError: the spec is not valid, or a file changed while it was read.
        OSError: a file cannot be read, or there is no space.
    """
    spec = checked(spec)
    count = _Count(sum(_size(file) for each in spec.payloads for file in each.files), progress)
    sign = signer.sign if signer else None
    if can_be_edited(destination):
        start = destination.tell()
        room = _room(spec, compression, is_signed=signer is not None)
        destination.seek(start + room)
        digests = _put_payloads(destination, spec, compression, count)
        front = _front(spec, digests, compression, sign)
        fill_room(destination, start, room, front, temporary)
        return
    with spill(temporary) as packed:
        digests = _put_payloads(packed, spec, compression, count)
        put(destination, _front(spec, digests, compression, sign))
        size = packed.tell()
        packed.seek(0)
        copy(packed, destination, size)


def member_header(name: str, size: int, mode: int = 0o600) -> bytes:
    """The tar header of a member of ``size`` bytes [B], with the time that all members have.

    Raises:
        ArtifactError: ``SOURCE_DATE_EPOCH`` is not a time.
    """
    return tar.header(tar.Member(name=name, size=size, mode=mode, mtime=_time()))


def _size(file: FileSource) -> int:
    """Length [B] of a regular file or block device."""
    status = file.path.stat()
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    if not stat.S_ISBLK(status.st_mode):
        raise ArtifactError(f"{file.path}: is neither a file nor a block device")
    with file.path.open("rb", buffering=0) as device:
        return device.seek(0, os.SEEK_END)


def _put_payloads(
    packed: BinaryIO, spec: ArtifactSpec, compression: Compression, count: _Count
) -> list[_Digests]:
    """Write what follows the front; gives the sha256 [hex] of each payload's files."""
    digests = [
        _put_payload(packed, number, each, compression, count)
        for number, each in enumerate(spec.payloads)
    ]
    put(packed, tar.END)
    return digests


def _put_payload(
    packed: BinaryIO, number: int, spec: PayloadSpec, compression: Compression, count: _Count
) -> _Digests:
    name = f"data/{number:04}.tar"
    match spec.content:
        case PackedData() as ready:
            digests, size = ready.digests, ready.size
            put(packed, member_header(f"{name}{ready.suffix}", size))
            with ready.path.open("rb", buffering=0) as file:
                file.seek(ready.offset)
                try:
                    copy(file, packed, size)
                except EOFError as error:
                    raise ArtifactError(
                        f"{ready.path}: changed while it was read: {error}; try again"
                    ) from error
        case files:
            digests = {}
            packed.seek(tar.BLOCK, os.SEEK_CUR)  # of the header, which has the size
            size = put_all(packed, compress(_parts(files, digests, count), compression))
            packed.seek(-size - tar.BLOCK, os.SEEK_CUR)
            put(packed, member_header(f"{name}{compression.codec.value}", size))
            packed.seek(size, os.SEEK_CUR)
    put(packed, tar.padding(size))
    return digests


def _parts(
    files: tuple[FileSource, ...], digests: dict[str, str], count: _Count
) -> Iterator[bytes]:
    """A data tar in the parts that become members: a tar header, then each MiB of the file."""
    before = b""
    for file in files:
        size = _size(file)
        yield before + member_header(file.name, size, mode=0o644)
        digest = hashlib.sha256()
        for chunk in _chunks(file, size):
            digest.update(chunk)
            count.add(len(chunk))
            yield chunk
        digests[file.name] = digest.hexdigest()
        before = tar.padding(size)
    yield before + tar.END


def _chunks(file: FileSource, size: int) -> Iterator[bytes]:
    """The file in pieces of 1 MiB; fails if it does not have ``size`` bytes [B]."""
    with file.path.open("rb", buffering=0) as stream:
        missing = size
        while missing:
            chunk = stream.read(min(missing, MEMBER))
            while chunk and len(chunk) < min(missing, MEMBER):
                more = stream.read(min(missing, MEMBER) - len(chunk))
                if not more:
                    break
                chunk += more
            missing -= len(chunk)
            if len(chunk) < MEMBER and missing:
                break
            yield chunk
        if missing or stream.read(1):
            raise ArtifactError(f"{file.path}: changed its size while it was read; try again")


def _room(spec: ArtifactSpec, compression: Compression, *, is_signed: bool) -> int:
    """How long the front will usually be [B]: digests and signatures compress alike."""
    digests = [
        each.content.digests
        if isinstance(each.content, PackedData)
        else {file.name: _sha256(file.name.encode()) for file in each.content}
        for each in spec.payloads
    ]
    return len(
        _front(spec, digests, compression, (lambda _: bytes(_SIGNATURE)) if is_signed else None)
    )


def _front(
    spec: ArtifactSpec,
    digests: list[_Digests],
    compression: Compression,
    sign: Callable[[bytes], bytes] | None,
) -> bytes:
    """What comes before the payloads, not larger than a reader accepts."""
    header = compress_whole(_header_tar(spec, digests), compression.codec)
    header_name = f"header.tar{compression.codec.value}"
    version = format_version(spec.header.version)
    files = {
        (number, name): digest
        for number, each in enumerate(digests)
        for name, digest in each.items()
    }
    manifest = format_manifest(files, (header_name, _sha256(header)), _sha256(version))
    members = {"version": version, "manifest": manifest}
    if sign:
        members["manifest.sig"] = base64.b64encode(sign(manifest))
    members[header_name] = header
    limits = Limits()
    _require("the manifest", len(manifest), limits.manifest)
    _require("the header, compressed", len(header), limits.packed_header)
    return b"".join(
        member_header(name, len(content)) + content + tar.padding(len(content))
        for name, content in members.items()
    )


def _header_tar(spec: ArtifactSpec, digests: list[_Digests]) -> bytes:
    header = spec.header
    members = {"header-info": format_header_info(header)}
    for script in header.scripts:
        members[f"scripts/{script.name}"] = script.content
    for number, (payload, each) in enumerate(zip(spec.payloads, digests, strict=True)):
        folder = f"headers/{number:04}"
        about = payload.header
        if payload.checksum_provide and payload.checksum_provide not in about.provides:
            (digest,) = each.values()
            about = replace(about, provides={**about.provides, payload.checksum_provide: digest})
        if header.version == 2:
            members[f"{folder}/files"] = format_object({"files": list(each)})
        members[f"{folder}/type-info"] = format_type_info(about, header.version)
        if about.meta_data or about.type == ROOTFS:
            members[f"{folder}/meta-data"] = about.meta_data
    modes = {name: 0o755 for name in members if name.startswith("scripts/")}
    packed = tar.archive(members, mtime=_time(), modes=modes)
    limits = Limits()
    texts = sum(len(content) for name, content in members.items() if name not in modes)
    _require("header-info, type-infos and meta-data", texts, limits.json)
    _require("the header with its state scripts", len(packed), limits.header)
    return packed


def _require(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise ArtifactError(
            f"{what}: {size} B, more than the {limit} B that a reader accepts; remove something"
        )


def _time() -> int:
    """The time of all members [s since 1970]. Source: reproducible-builds.org."""
    text = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not (text.isascii() and text.isdecimal()) or int(text) >= 1 << 33:
        raise ArtifactError(f"SOURCE_DATE_EPOCH: {text!r} is not a time in seconds since 1970")
    return int(text)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
