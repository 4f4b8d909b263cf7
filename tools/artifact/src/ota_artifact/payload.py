# SPDX-License-Identifier: Apache-2.0
"""The files of a payload, checked while they are read."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from ota_artifact.compression import Codec, Decompress, Decompressing, Decompressor, Restart
from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader
from ota_artifact.names import check_file_name, shown
from ota_artifact.stream import Chunks, Source
from ota_artifact.tar import Member, TarReader

Stored = Callable[[int], Iterator[bytes]]
"""Gives the stored bytes of a payload's tar from an offset [B] on."""


class Digest(Protocol):
    """A running SHA-256, as hashlib has it."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> "Digest": ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a payload's file where another reader can continue.

    Attributes:
        name: of the file.
        size: of the file [B].
        start: where its content begins in the payload's tar [B].
        restart: the member boundary in it, or at its end.
        sha256: of the file's content before that place [hex].
    """

    name: str
    size: int
    start: int
    restart: Restart
    sha256: str

    @property
    def done(self) -> int:
        """How much of the file is before it [B]."""
        return self.restart.given - self.start


class PayloadFile:
    """A file of a payload, while it is read.

    Attributes:
        name: one path component, safe as a file name.
        size: its length [B], as the tar says; exactly this much is given.
        mode: permission bits as stored.
        mtime: modification time [s since 1970].
        sha256: what the manifest says [hex].
        start: how much of the content an earlier reader has read, and is not given [B].
        mark: the last place read, after ``start``, where another reader can continue; None if
            there was none.
        is_checked: whether all of it has been read, and matches the manifest.
    """

    def __init__(
        self,
        member: Member,
        sha256: str,
        content: Iterator[bytes],
        what: str,
        *,
        place: "_Place",
        digest: Digest | None = None,
    ) -> None:
        self.name = member.name
        self.size = member.size
        self.mode = member.mode
        self.mtime = member.mtime
        self.sha256 = sha256
        self.start = place.done
        self.mark: Mark | None = None
        self.is_checked = False
        self._chunks = self._verified(content, what, place, digest or hashlib.sha256())

    def chunks(self) -> Iterator[bytes]:
        """The content from ``start`` on, once, in pieces of at most 256 KiB.

        The digest is known only at the end: do not use the content before this iterator has
        ended without an error.

        Raises:
            ArtifactError: truncated, damaged, or different from what the manifest says.
        """
        return self._chunks

    def _verified(
        self, content: Iterator[bytes], what: str, place: "_Place", digest: Digest
    ) -> Iterator[bytes]:
        given = place.start + place.done
        for chunk in content:
            restart = place.decompressor.restart
            if restart.given == given > place.start:  # what came before has been given and used
                self.mark = Mark(
                    name=self.name,
                    size=self.size,
                    start=place.start,
                    restart=restart,
                    sha256=digest.hexdigest(),
                )
            digest.update(chunk)
            given += len(chunk)
            yield chunk
        if not hmac.compare_digest(digest.hexdigest(), self.sha256):
            raise ArtifactError(
                f"{what}: its sha256 is {digest.hexdigest()}, the manifest says {self.sha256};"
                " it is damaged; fetch or write it again"
            )
        self.is_checked = True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file begins in its tar [B], how much of it is done [B], and what unpacks it."""

    start: int
    done: int
    decompressor: Decompressing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacked:
    """A payload's tar while it is unpacked, from where on, and what unpacks it."""

    tar: TarReader
    source: Source
    start: Restart
    decompressor: Decompressing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """A member of a tar, where its content begins in it [B], and what was read of that."""

    unpacked: _Unpacked
    member: Member | None
    start: int
    content: tuple[bytes, ...] = ()


def _next_member(unpacked: _Unpacked) -> _Ahead:
    """The next member, still unread."""
    member = unpacked.tar.next()
    return _Ahead(unpacked=unpacked, member=member, start=unpacked.source.offset)


class Payload:
    """One payload of an artifact and its files, in stored order.

    Args:
        decompress: makes what unpacks its tar.

    Attributes:
        number: 0 for the first.
        header: its type, provides, depends and meta-data.
        codec: how its tar is compressed.
        offset: where its tar begins in the artifact [B].
        size: length of its tar as stored [B].
        is_checked: whether its tar has been read to the end, and each file matches the manifest.
    """

    def __init__(
        self,
        number: int,
        header: PayloadHeader,
        *,
        codec: Codec = Codec.NONE,
        offset: int = 0,
        size: int = 0,
        decompress: Decompress = Decompressor,
    ) -> None:
        self.number = number
        self.header = header
        self.codec = codec
        self.offset = offset
        self.size = size
        self._files: Iterator[PayloadFile] = iter(())
        self._stored: Stored = lambda start: iter(())
        self._expected: dict[str, str] = {}
        self.is_checked = True  # until there is something to check
        self._decompress = decompress
        self._decompressor: Decompressing = Decompressor(codec, "")
        self._resumed: tuple[Mark, Digest] | None = None
        self._ahead: _Ahead | None = None
        self._read = 0

    @property
    def restart(self) -> Restart:
        """The last place where reading this payload's tar can restart."""
        return self._decompressor.restart

    def files(self) -> Iterator[PayloadFile]:
        """Each file, once; one that the caller leaves is read and checked, too.

        Raises:
            ArtifactError: damaged, truncated, not listed in the manifest, or listed and missing.
        """
        return self._files

    def resume(self, mark: Mark, digest: Digest) -> None:
        """Start the only file at a mark; call it before `files`, after `read_ahead` if at all.

        Nothing else in the tar before the mark is read. The file is still checked as a whole.

        Args:
            mark: of the same payload, as an earlier reader gave it.
            digest: of exactly the file's content before the mark.

        Raises:
            ArtifactError: the payload does not have that place.
        """
        files, place = list(self._expected), mark.restart
        is_inside = 0 < mark.done <= mark.size and 0 < place.read < self.size
        if files != [mark.name] or not is_inside:
            raise ArtifactError(
                f"{self._what}: cannot be read from byte {place.read} on: it holds"
                f" {self.size} B and the files {', '.join(files)}; read it from its start"
            )
        self._resumed = mark, digest.copy()

    def read_ahead(self, size: int) -> bytes:
        """The first ``size`` bytes [B] of the first file, or all; call it once, before `files`.

        `files` gives them again. They are not checked, as nothing is before the file's end.

        Raises:
            ArtifactError: damaged or truncated.
        """
        ahead = _next_member(self._unpack(Restart()))
        content = list[bytes]()
        if ahead.member:
            chunks = ahead.unpacked.tar.chunks()
            while sum(map(len, content)) < size and (chunk := next(chunks, b"")):
                content.append(chunk)
        self._ahead = replace(ahead, content=tuple(content))
        return b"".join(content)[:size]

    def is_ahead_of(self, mark: Mark) -> bool:
        """Whether so much has been read that nothing can start at the mark any more."""
        return self._read > mark.restart.read

    def feed(self, stored: Stored, expected: dict[str, str]) -> None:
        """Read the files from the tar's stored bytes.

        Args:
            expected: sha256 [hex] of each file that the manifest lists.
        """
        self.is_checked = False
        self._expected, self._stored = expected, stored
        self._files = self._all_files()

    @property
    def _what(self) -> str:
        return f"data/{self.number:04}.tar{self.codec.value}"

    def _unpack(self, start: Restart) -> _Unpacked:
        self._decompressor = self._decompress(self.codec, self._what, start)
        stored = self._counted(self._stored(start.read))
        source = Source(Chunks(self._decompressor.run(stored)), self._what)
        return _Unpacked(
            tar=TarReader(source, self._what),
            source=source,
            start=start,
            decompressor=self._decompressor,
        )

    def _counted(self, stored: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in stored:
            self._read += len(chunk)
            yield chunk

    def _all_files(self) -> Iterator[PayloadFile]:
        what, missing = self._what, dict(self._expected)
        if self._resumed:
            self._ahead = None  # 1 MiB, perhaps
            unpacked = self._unpack(self._resumed[0].restart)
            yield from self._checked(self._rest(unpacked, missing, *self._resumed))
            ahead = _next_member(unpacked)
        else:
            ahead = self._ahead or _next_member(self._unpack(Restart()))
        while member := ahead.member:
            name = check_file_name(member.name, what)
            if name not in missing:
                listed = name in self._expected
                finding = "appears twice" if listed else "is not listed in the manifest"
                raise ArtifactError(f"{what}: {shown(name)} {finding}")
            unpacked = ahead.unpacked
            file = PayloadFile(
                member,
                missing.pop(name),
                chain(ahead.content, unpacked.tar.chunks()),
                f"{what}: {name}",
                place=_Place(unpacked.start.given + ahead.start, 0, unpacked.decompressor),
            )
            yield from self._checked(file)
            ahead = _next_member(unpacked)
        for name in missing:
            raise ArtifactError(f"{what}: {shown(name)} is listed in the manifest but missing")
        self.is_checked = True

    def _rest(
        self, unpacked: _Unpacked, missing: dict[str, str], mark: Mark, digest: Digest
    ) -> PayloadFile:
        member = Member(name=mark.name, size=mark.size)
        content = unpacked.tar.begin_inside(member, mark.done)
        what = f"{self._what}: {mark.name}"
        place = _Place(mark.start, mark.done, unpacked.decompressor)
        return PayloadFile(
            member, missing.pop(mark.name), content, what, place=place, digest=digest
        )

    def _checked(self, file: PayloadFile) -> Iterator[PayloadFile]:
        """The file; the rest that its reader leaves is read and dropped."""
        yield file
        for _ in file.chunks():
            pass
        if not file.is_checked:  # its reader closed it, or continued after an error
            raise ArtifactError(
                f"{self._what}: {file.name} was not read to its end, so it is not checked"
            )
