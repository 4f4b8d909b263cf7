# SPDX-License-Identifier: Apache-2.0
"""The files of a payload, checked while they are read."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ota_artifact.compression import Codec, Decompressor, Restart
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
    decompressor: Decompressor


class Payload:
    """One payload of an artifact and its files, in stored order.

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
    ) -> None:
        self.number = number
        self.header = header
        self.codec = codec
        self.offset = offset
        self.size = size
        self._files: Iterator[PayloadFile] = iter(())
        self._expected: dict[str, str] = {}
        self.is_checked = True  # until there is something to check
        self._decompressor = Decompressor(codec, "")
        self._resumed: tuple[Mark, Digest] | None = None

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
        """Start the only file at a mark; call it before its first byte is read.

        Nothing in the tar before the mark is read. The file is still checked as a whole.

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

    def feed(self, stored: Stored, expected: dict[str, str]) -> None:
        """Read the files from the tar's stored bytes.

        Args:
            expected: sha256 [hex] of each file that the manifest lists.
        """
        self.is_checked = False
        self._expected = expected
        self._files = self._unpacked(stored)

    @property
    def _what(self) -> str:
        return f"data/{self.number:04}.tar{self.codec.value}"

    def _unpacked(self, stored: Stored) -> Iterator[PayloadFile]:
        what = self._what
        start = self._resumed[0].restart if self._resumed else Restart()
        self._decompressor = Decompressor(self.codec, what, start)
        source = Source(Chunks(self._decompressor.run(stored(start.read))), what)
        tar = TarReader(source, what)
        missing = dict(self._expected)
        if self._resumed:
            yield from self._checked(self._rest(tar, missing, *self._resumed))
        while member := tar.next():
            name = check_file_name(member.name, what)
            if name not in missing:
                listed = name in self._expected
                finding = "appears twice" if listed else "is not listed in the manifest"
                raise ArtifactError(f"{what}: {shown(name)} {finding}")
            place = _Place(start.given + source.offset, 0, self._decompressor)
            file = PayloadFile(
                member, missing.pop(name), tar.chunks(), f"{what}: {name}", place=place
            )
            yield from self._checked(file)
        for name in missing:
            raise ArtifactError(f"{what}: {shown(name)} is listed in the manifest but missing")
        self.is_checked = True

    def _rest(
        self, tar: TarReader, missing: dict[str, str], mark: Mark, digest: Digest
    ) -> PayloadFile:
        member = Member(name=mark.name, size=mark.size)
        content = tar.begin_inside(member, mark.done)
        what, place = (
            f"{self._what}: {mark.name}",
            _Place(mark.start, mark.done, self._decompressor),
        )
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
