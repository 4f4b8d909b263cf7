# SPDX-License-Identifier: Apache-2.0
"""The part of tar that artifacts use: plain files, in order, read from a stream.

An allow-list: ustar, GNU and pax headers of regular files (and, if the caller asks for them, of
directories); links, devices, sparse files and unknown pax records are refused. Python's
``tarfile`` accepts them, seeks, and keeps every member in memory.

Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header File Format"; GNU tar manual,
"Basic Tar Format".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ota_artifact.errors import ArtifactError, UnsupportedFeature
from ota_artifact.names import shown
from ota_artifact.stream import Source

BLOCK = 512
"""Size of a tar block [B]."""

END = bytes(2 * BLOCK)
"""What ends an archive."""

_EXTENSION_LIMIT = 1 << 16  # [B] of a pax or GNU long-name record
_TAIL_LIMIT = 1 << 20  # [B] of zeros after the end; GNU tar pads to 10 KiB by default
_TIME_LIMIT = 1 << 36  # [s] what 12 octal digits hold; a calendar ends later, base 256 does not
_UNUSED = (
    ("uid", slice(108, 116)),
    ("gid", slice(116, 124)),
    ("device's major number", slice(329, 337)),
    ("device's minor number", slice(337, 345)),
)
_PAX_IGNORED = {"atime", "ctime", "mtime", "uid", "gid", "uname", "gname", "comment"}
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"7": "a contiguous file",
    b"g": "a global pax header",
    b"K": "a GNU long link",
    b"S": "a GNU sparse file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a tar.

    Attributes:
        name: as stored.
        size: length of its content [B].
        mode: permission bits.
        mtime: modification time [s since 1970].
        is_directory: whether it is a directory, without content.
    """

    name: str
    size: int
    mode: int = 0o600
    mtime: int = 0
    is_directory: bool = False


def is_tar(path: Path) -> bool:
    """Whether a file begins with a header that `TarReader` reads, of whatever kind.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _has_mark(file.read(BLOCK))


def _has_mark(block: bytes) -> bool:
    return block[257:263] in {b"ustar\0", b"ustar "}


def header(member: Member) -> bytes:
    """The 512 bytes that announce a regular file: ustar, owner 0:0 without names.

    A size of 8 GiB or more is written in base 256, as GNU tar and Go do.
    """
    name = member.name.encode("ascii")
    if len(name) > 100:
        raise ArtifactError(f"{member.name}: longer than the 100 B that a tar name holds")
    size = (
        b"%011o\0" % member.size
        if member.size < 1 << 33
        else b"\x80" + member.size.to_bytes(11, "big")
    )
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0" % member.mode,
        b"0000000\0" * 2,
        size,
        b"%011o\0" % member.mtime,
        b" " * 8,
        b"0".ljust(101, b"\0"),
        b"ustar\0" + b"00",
        bytes(64),
        b"0000000\0" * 2,
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> bytes:
    """The zeros that pad a content of ``size`` bytes [B] to whole blocks."""
    return bytes(-size % BLOCK)


def archive(members: Mapping[str, bytes], *, mtime: int, modes: Mapping[str, int]) -> bytes:
    """A whole tar of small files, in the given order; mode 0600 unless ``modes`` has another."""
    parts = []
    for name, content in members.items():
        parts.append(
            header(Member(name=name, size=len(content), mode=modes.get(name, 0o600), mtime=mtime))
        )
        parts.append(content + padding(len(content)))
    return b"".join((*parts, END))


class TarReader:
    """Reads one tar from a stream, member by member.

    A member's content is read (``chunks`` or ``read``) before the next member; what the caller
    leaves is read and dropped.
    """

    def __init__(self, source: Source, name: str, *, directories: bool = False) -> None:
        self._source = source
        self._name = name
        self._directories = directories
        self._content: Iterator[bytes] = iter(())
        self._at = 0
        self._member = Member(name="", size=0)

    def next(self) -> Member | None:
        """The next member, or None at the end of the archive.

        Raises:
            ArtifactError: not a tar, truncated, a bad checksum, or an entry that is not allowed.
        """
        for _ in self._content:
            pass
        path: str | None = None
        size: int | None = None
        is_extended = False
        while True:
            block = self._source.exactly(BLOCK, f"a header of {self._name}")
            if block == END[:BLOCK]:
                if is_extended:
                    self._refuse("an extension header without a file")
                self._end()
                return None
            member, kind = self._parse(block)
            if kind in {b"L", b"x"} and is_extended:  # readers differ on which of them applies
                self._refuse("too many extension headers before one file")
            if kind == b"L":
                content = self._extension(member)
                path = self._text(content.rstrip(b"\0"))
            elif kind == b"x":
                records = self._pax(self._extension(member))
                path = records.get("path", path)
                if "size" in records:
                    size = self._number(records["size"].encode(), "pax size", base=10)
            else:
                return self._open(member, kind, path, size)
            is_extended = True

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The content of the current member, once.

        Args:
            start: where to begin [B]; what comes before is skipped unread.

        Raises:
            ArtifactError: more than that has been read already.
        """
        if start:
            if start < self._at:
                self._refuse(f"byte {start} of {shown(self._member.name)} has been read already")
            self._content = self._padded(self._member, start, skipped=start - self._at)
        return self._content

    def begin_inside(self, member: Member, start: int) -> Iterator[bytes]:
        """The content of a member from byte ``start`` [B] on, where the stream now is.

        Call it instead of the first `next`, to continue after an earlier reader.
        """
        self._content = self._padded(member, start)
        return self._content

    def read(self, member: Member, limit: int) -> bytes:
        """The whole content of a small member.

        Raises:
            ArtifactError: it is larger than ``limit`` [B], or truncated.
        """
        if member.size > limit:
            raise ArtifactError(
                f"{self._name}: {shown(member.name)} has {member.size} B; at most {limit} B allowed"
            )
        return b"".join(self._content)

    def _open(self, member: Member, kind: bytes, path: str | None, size: int | None) -> Member:
        member = Member(
            name=member.name if path is None else path,
            size=member.size if size is None else size,
            mode=member.mode,
            mtime=member.mtime,
            is_directory=kind == b"5",
        )
        if kind == b"5" and (not self._directories or member.size):
            self._refuse(f"{shown(member.name)} is a directory")
        if kind not in {b"0", b"\0", b"5"}:
            what = _REFUSED.get(kind, f"of the unknown kind {kind!r}")
            raise UnsupportedFeature(
                f"{self._name}: {shown(member.name)} is {what}; artifacts hold regular files only"
            )
        self._member, self._content, self._at = member, self._padded(member), 0
        return member

    def _padded(self, member: Member, start: int = 0, *, skipped: int = 0) -> Iterator[bytes]:
        what = f"{shown(member.name)} of {self._name}"
        if skipped:
            self._source.skip(skipped, what)
        self._at = start
        for chunk in self._source.chunks(member.size - start, what):
            self._at += len(chunk)
            yield chunk
        if self._source.exactly(-member.size % BLOCK, f"the padding of {what}").strip(b"\0"):
            self._refuse(f"there is data in the padding of {shown(member.name)}")

    def _end(self) -> None:
        if self._source.exactly(BLOCK, f"the end of {self._name}") != END[BLOCK:]:
            self._refuse("only one block of zeros ends it, not two")
        tail = 0
        while data := self._source.some(BLOCK * 20):
            tail += len(data)
            if tail > _TAIL_LIMIT or data.strip(b"\0"):
                self._refuse("there is data after its end")

    def _parse(self, block: bytes) -> tuple[Member, bytes]:
        if not _has_mark(block):
            self._refuse("not a tar header (no 'ustar' mark)")
        stored = self._number(block[148:156], "checksum")
        if sum(block) - sum(block[148:156]) + 8 * 0x20 != stored:
            self._refuse("a header's checksum is wrong")
        name, prefix = block[:100].split(b"\0", 1)[0], block[345:500]
        if block[257:263] == b"ustar " and any(prefix):  # some readers take it for a prefix
            self._refuse("a GNU header holds more than a name and its numbers")
        if prefix[0]:
            name = prefix.split(b"\0", 1)[0] + b"/" + name
        for what, field in _UNUSED:  # refuse what other readers refuse
            self._number(block[field], what)
        mtime = self._number(block[136:148], "mtime")
        if mtime >= _TIME_LIMIT:
            self._refuse(f"the mtime {mtime} is beyond any date")
        member = Member(
            name=self._text(name),
            size=self._number(block[124:136], "size"),
            mode=self._number(block[100:108], "mode") & 0o7777,
            mtime=mtime,
        )
        return member, block[156:157]

    def _extension(self, member: Member) -> bytes:
        if member.size > _EXTENSION_LIMIT:
            self._refuse(f"an extension header has {member.size} B")
        return b"".join(self._padded(member))

    def _pax(self, data: bytes) -> dict[str, str]:
        records: dict[str, str] = {}
        while data:
            digits, _, _ = data[:16].partition(b" ")
            length = self._number(digits, "pax record length", base=10)
            record, data = data[:length], data[length:]
            key, found, value = record[len(digits) + 1 : -1].partition(b"=")
            if len(record) != length or not found or record[-1:] != b"\n":
                self._refuse("a pax record is malformed")
            name = self._text(key)
            if name not in {"path", "size"} | _PAX_IGNORED:
                raise UnsupportedFeature(
                    f"{self._name}: the pax record {shown(name)} is not allowed in artifacts"
                )
            if name in records:
                self._refuse(f"the pax record {shown(name)} appears twice")
            records[name] = self._text(value)
        return records

    def _number(self, field: bytes, what: str, *, base: int = 8) -> int:
        if base == 8 and field[:1] == b"\x80":
            return int.from_bytes(field[1:], "big")
        digits = field.strip(b"\0 ")
        allowed = b"01234567" if base == 8 else b"0123456789"
        if len(digits) > 20 or digits.strip(allowed) or (base == 10 and not digits):
            self._refuse(f"the {what} {shown(field.decode('latin-1'))} is not a number")
        return int(digits or b"0", base)

    def _text(self, name: bytes) -> str:
        try:
            text = name.decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(f"the name {name[:40]!r} is not UTF-8")
        if len(name) > 1024 or "\0" in text:
            self._refuse(f"the name {shown(text)} is too long or contains a NUL")
        return text

    def _refuse(self, finding: str) -> NoReturn:
        raise ArtifactError(
            f"{self._name}: {finding} (near byte {self._source.offset} of its stream)"
        )
