# SPDX-License-Identifier: Apache-2.0
"""Artifacts put together by hand, right or wrong, without the code under test.

A `Draft` is valid. To make an invalid artifact, replace a part of the draft, or change its
``members``: digests, sizes and checksums of everything else stay right, so that the fault is the
only one.
"""

import base64
import hashlib
import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass, replace

import deflate
import zstandard

from tests.golden.keys import SigningKey

BLOCK = 512
END = bytes(2 * BLOCK)

VERSION_3 = b'{"format":"mender","version":3}'
VERSION_2 = b'{"format":"mender","version":2}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member of a tar, as written.

    Attributes:
        name: in the header; at most 100 bytes.
        content: the bytes after the header.
        kind: the type flag.
        size: in the header, if it is not the length of the content.
        magic: ustar by default.
        link: the target of a link.
        mtime: as the header's field holds it.
        checksum: added to the right one.
        prefix: of a ustar name.
        owner: as the header's fields for user and group hold it.
    """

    name: str | bytes
    content: bytes = b""
    kind: bytes = b"0"
    size: int | bytes | None = None
    magic: bytes = b"ustar\x0000"
    link: bytes = b""
    mtime: bytes = b"00000000000\0"
    checksum: int = 0
    prefix: bytes = b""
    owner: bytes = b"0000000\0" * 2

    def packed(self) -> bytes:
        """Header, content and padding."""
        name = self.name.encode() if isinstance(self.name, str) else self.name
        size = len(self.content) if self.size is None else self.size
        block = bytearray(BLOCK)
        block[0 : len(name)] = name
        block[100:124] = b"0000600\0" + self.owner
        block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
        block[136:148] = self.mtime
        block[156:157] = self.kind
        block[157 : 157 + len(self.link)] = self.link
        block[257:265] = self.magic
        block[329:345] = b"0000000\0" * 2
        block[345 : 345 + len(self.prefix)] = self.prefix
        put_checksum(block, self.checksum)
        return bytes(block) + self.content + bytes(-len(self.content) % BLOCK)


def put_checksum(block: bytearray, off_by: int = 0) -> None:
    """Set the checksum of a tar header: the sum of its bytes, its own field read as spaces."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) + off_by)


def tar(entries: Sequence[Entry], end: bytes = END) -> bytes:
    """A tar of these members."""
    return b"".join(entry.packed() for entry in entries) + end


def pax(**records: str) -> Entry:
    """The extended header before a member."""
    return Entry(
        name="pax", content=b"".join(_record(*item) for item in records.items()), kind=b"x"
    )


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def squeeze(data: bytes, suffix: str) -> bytes:
    """Data compressed as the suffix of a name says; always the same bytes."""
    match suffix:
        case ".gz":
            return bytes(deflate.gzip_compress(data, 6))
        case ".xz":
            return lzma.compress(data, check=lzma.CHECK_CRC64)
        case ".zst":
            return zstandard.ZstdCompressor().compress(data)
        case _:
            return data


def sha256(data: bytes) -> str:
    """The digest as a manifest has it [hex]."""
    return hashlib.sha256(data).hexdigest()


def as_json(value: object) -> bytes:
    """Minified JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def header_info(*types: str | None, name: str = "release-2") -> bytes:
    """The header-info of version 3, of an artifact for the device type ``board``."""
    return as_json(
        {
            "payloads": [{"type": each} for each in types],
            "artifact_provides": {"artifact_name": name},
            "artifact_depends": {"device_type": ["board"]},
        }
    )


def type_info(kind: str | None, **more: object) -> bytes:
    """A type-info with its type and, if given, ``more``."""
    return as_json({"type": kind, **more})


MODULE = (
    Entry(name="header-info", content=header_info("single-file")),
    Entry(name="headers/0000/type-info", content=type_info("single-file")),
    Entry(name="headers/0000/meta-data", content=b'{"mode":"0644"}'),
)
"""The header of an artifact for an update module that takes one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An artifact, part by part.

    Attributes:
        version: the file ``version``.
        header: the members of the header tar.
        payloads: the members of each payload's tar.
        suffix: of header and payloads; ``.gz`` makes small files.
        key: signs, if given.
        manifest: lines that take the place of the right ones.
        more: lines after the right ones.
        packed_header: takes the place of the right header tar, as stored; the manifest fits it.
    """

    version: bytes = VERSION_3
    header: tuple[Entry, ...] = MODULE
    payloads: tuple[tuple[Entry, ...], ...] = ((Entry(name="file", content=b"content\n"),),)
    suffix: str = ".gz"
    key: SigningKey | None = None
    manifest: bytes | None = None
    more: bytes = b""
    packed_header: bytes | None = None

    @property
    def header_tar(self) -> Entry:
        """The member that holds the header."""
        packed = self.packed_header
        if packed is None:
            packed = squeeze(tar(self.header), self.suffix)
        return Entry(name=f"header.tar{self.suffix}", content=packed)

    @property
    def lines(self) -> bytes:
        """The manifest that this draft needs."""
        if self.manifest is not None:
            return self.manifest
        digests = [
            (sha256(entry.content), f"data/{number:04}/{entry.name!s}")
            for number, entries in enumerate(self.payloads)
            for entry in entries
        ]
        digests.append((sha256(self.header_tar.content), str(self.header_tar.name)))
        digests.append((sha256(self.version), "version"))
        return b"".join(f"{digest}  {name}\n".encode() for digest, name in digests) + self.more

    @property
    def data(self) -> list[Entry]:
        """The members that hold the payloads."""
        return [
            Entry(
                name=f"data/{number:04}.tar{self.suffix}",
                content=squeeze(tar(entries), self.suffix),
            )
            for number, entries in enumerate(self.payloads)
        ]

    @property
    def signature(self) -> list[Entry]:
        """The member that holds the signature, if there is one."""
        if self.key is None:
            return []
        return [Entry(name="manifest.sig", content=base64.b64encode(self.key.sign(self.lines)))]

    @property
    def members(self) -> dict[str, Entry]:
        """The members of the artifact by name, in order."""
        entries = [
            Entry(name="version", content=self.version),
            Entry(name="manifest", content=self.lines),
            *self.signature,
            self.header_tar,
            *self.data,
        ]
        return {str(entry.name): entry for entry in entries}

    def built(self) -> bytes:
        """The artifact."""
        return tar(tuple(self.members.values()))

    def but(self, **parts: Entry | None) -> bytes:
        """The artifact with members replaced, or left out; ``data`` is the first payload.

        Names are written with ``_`` for a point: ``manifest_sig``.
        """
        names = {"data": f"data/0000.tar{self.suffix}", "header": f"header.tar{self.suffix}"}
        members = self.members
        for part, entry in parts.items():
            name = names.get(part, part.replace("_", "."))
            if entry is None:
                del members[name]
            else:
                members[name] = entry
        return tar(tuple(members.values()))

    def with_data(self, stored: bytes) -> bytes:
        """The artifact with other bytes as the tar of its first payload."""
        return self.but(data=replace(self.data[0], content=stored))

    def with_header(self, name: str, content: bytes | None) -> "Draft":
        """The draft with one file of its header replaced, or left out."""
        known = any(entry.name == name for entry in self.header)
        assert known, name
        header = (
            replace(entry, content=content) if entry.name == name and content is not None else entry
            for entry in self.header
            if entry.name != name or content is not None
        )
        return replace(self, header=tuple(header))


def signature_of(key: SigningKey, message: bytes) -> Entry:
    """A ``manifest.sig`` over any bytes."""
    return Entry(name="manifest.sig", content=base64.b64encode(key.sign(message)))
