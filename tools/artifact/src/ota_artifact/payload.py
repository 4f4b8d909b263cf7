# SPDX-License-Identifier: Apache-2.0
"""A payload's files, checked as they pass."""

import hashlib
import hmac
from collections.abc import Iterator

from ota_artifact.compression import Codec, Decompressor, Restart
from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader
from ota_artifact.names import check_file_name, shown
from ota_artifact.stream import Chunks, Source
from ota_artifact.tar import Member, TarReader


class PayloadFile:
    """A file of a payload, as it passes.

    Attributes:
        name: one path component, safe as a file name.
        size: its length [B], as the tar says; no more and no less is given.
        mode: permission bits as stored.
        mtime: modification time [s since 1970].
        sha256: what the manifest says [hex].
        is_checked: all of it has passed, and is what the manifest says.
    """

    def __init__(self, member: Member, sha256: str, content: Iterator[bytes], what: str) -> None:
        self.name = member.name
        self.size = member.size
        self.mode = member.mode
        self.mtime = member.mtime
        self.sha256 = sha256
        self.is_checked = False
        self._chunks = self._verified(content, what)

    def chunks(self) -> Iterator[bytes]:
        """The content, once, in pieces of at most 256 KiB.

        The digest is known only at the end: what was written of it must not be used before this
        iterator has ended cleanly.

        Raises:
            ArtifactError: truncated, damaged, or not what the manifest says.
        """
        return self._chunks

    def _verified(self, content: Iterator[bytes], what: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in content:
            digest.update(chunk)
            yield chunk
        if not hmac.compare_digest(digest.hexdigest(), self.sha256):
            raise ArtifactError(
                f"{what}: its sha256 is {digest.hexdigest()}, the manifest says {self.sha256};"
                " it is damaged: fetch or write it anew"
            )
        self.is_checked = True


class Payload:
    """One payload of an artifact and its files, in stored order.

    Attributes:
        number: 0 for the first.
        header: its type, provides, depends and meta-data.
        codec: how its tar is compressed.
        offset: where its tar begins in the artifact [B].
        size: length of its tar as stored [B].
        is_checked: its tar has been read to the end, and each file in it was as the manifest says.
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
        self.is_checked = True  # until there is something to check
        self._decompressor = Decompressor(codec, "")

    @property
    def restart(self) -> Restart:
        """The last place passed where reading this payload's tar can begin anew."""
        return self._decompressor.restart

    def files(self) -> Iterator[PayloadFile]:
        """Each file, once; one that is left unread is read over, and checked all the same.

        Raises:
            ArtifactError: damaged, truncated, not listed in the manifest, or listed and missing.
        """
        return self._files

    def feed(self, stored: Iterator[bytes], expected: dict[str, str]) -> None:
        """Have the files come out of the tar's stored bytes."""
        what = f"data/{self.number:04}.tar{self.codec.value}"
        self.is_checked = False
        self._decompressor = Decompressor(self.codec, what)
        self._files = self._unpacked(stored, expected, what)

    def _unpacked(
        self, stored: Iterator[bytes], expected: dict[str, str], what: str
    ) -> Iterator[PayloadFile]:
        tar = TarReader(Source(Chunks(self._decompressor.run(stored)), what), what)
        missing = dict(expected)
        while member := tar.next():
            name = check_file_name(member.name, what)
            if name not in missing:
                finding = "stands twice" if name in expected else "is not listed in the manifest"
                raise ArtifactError(f"{what}: {shown(name)} {finding}")
            file = PayloadFile(member, missing.pop(name), tar.chunks(), f"{what}: {name}")
            yield file
            for _ in file.chunks():
                pass
            if not file.is_checked:  # its reader closed it, or went on after an error
                raise ArtifactError(f"{what}: {name} was not read to its end, and is not checked")
        for name in missing:
            raise ArtifactError(f"{what}: {shown(name)} is listed in the manifest and is not there")
        self.is_checked = True
