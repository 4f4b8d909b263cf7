# SPDX-License-Identifier: Apache-2.0
"""What a server's answer to a request for a file means; pure.

Source: RFC 9110, sections 8.8 (validators), 10.2.3 (Retry-After), 13.1.5 (If-Range), 14 (ranges),
15 (status codes).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_WHOLE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
_SIZE = re.compile(r"\d{1,18}", re.ASCII)
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 421, 425, 429})

CHANGED = "the server's file has changed"
"""Why an answer is `Other` where that is certain."""

PAGE = "there is a web page in place of the artifact: must a user log in to this network?"
"""Why it is tried again later, where a captive portal or a page for maintenance answers."""

BLOCK = 512
"""By so much of a body `is_page` can tell what it is [B]."""

_TEXTS = ("text/", "application/json", "application/xhtml", "application/javascript")
_LEAST = 3072  # [B] of an artifact: version, manifest and header, each in a tar
_MARK, _MARK_AT = b"ustar", 257  # of a tar. Source: POSIX, pax, ustar Interchange Format


@dataclass(frozen=True, slots=True)
class File:
    """What a server says of a file, by which it is known again.

    Attributes:
        size: None if it does not say [B].
        etag: a strong one; empty if there is none.
        modified: as the server writes it; empty if it does not.
    """

    size: int | None
    etag: str = ""
    modified: str = ""

    @property
    def validator(self) -> str:
        """For If-Range; empty if there is none."""
        return self.etag or self.modified

    def is_same(self, other: "File") -> bool | None:
        """Whether it is the other one; None if that cannot be told."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        for mine, its in ((self.etag, other.etag), (self.modified, other.modified)):
            if mine and its:
                return mine == its
        return None


@dataclass(frozen=True, slots=True)
class Body:
    """The file, from byte ``start`` on [B]."""

    file: File
    start: int


@dataclass(frozen=True, slots=True)
class Moved:
    """It is elsewhere."""

    url: str


@dataclass(frozen=True, slots=True)
class Later:
    """The server cannot give it now.

    Attributes:
        retry_after: what it says about when, as it is.
    """

    why: str
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It does not give it, and will not."""

    why: str


@dataclass(frozen=True, slots=True)
class WrongRange:
    """It gives another part than it was asked for."""

    why: str


@dataclass(frozen=True, slots=True)
class Other:
    """It is another file now, or one cannot tell.

    Attributes:
        file: what the server says of it.
    """

    why: str
    file: File


Answer = Body | Moved | Later | Refused | WrongRange | Other


def judge(status: int, headers: Mapping[str, str], offset: int, known: File | None) -> Answer:
    """What an answer means.

    Args:
        headers: their names are found in any case.
        offset: which byte the file was asked for from; 0 means all of it, and no range [B].
        known: what an earlier answer said of the file.
    """
    if status in _MOVED:
        url = headers.get("Location", "")
        return Moved(url) if url else Refused(f"it answers {status} and does not say where to")
    if status == 416 and offset:
        return _beyond(headers, known)
    if status in _PASSING or status >= 500:
        return Later(f"the server answers {status}", headers.get("Retry-After", ""))
    if 200 < status < 300 and status != 206:
        return Later(f"the server answers {status}, and does not give the artifact")
    if status not in (200, 206):
        return Refused(f"the server answers {status}{_MEANS.get(status, '')}")
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        return Refused(
            f"the server encodes it as {encoding[:40]!r}; have it send the file as it is"
        )
    return _whole(headers, offset, known) if status == 200 else _part(headers, offset, known)


_MEANS: Mapping[int, str] = {
    401: ": it asks for a login",
    403: ": it is not allowed; a signed address may have expired",
    404: ": it is not there",
    410: ": it is no longer there",
}


def _whole(headers: Mapping[str, str], offset: int, known: File | None) -> Answer:
    size = headers.get("Content-Length", "").strip()
    file = File(int(size) if _SIZE.fullmatch(size) else None, *_validators(headers))
    if not offset or known is None:
        return Body(file, 0)
    match known.is_same(file):
        case True:
            return Body(file, 0)
        case False:
            return Other(CHANGED, file)
        case None:
            return Other("the server does not say whether its file is still the same", file)


def _part(headers: Mapping[str, str], offset: int, known: File | None) -> Answer:
    text = headers.get("Content-Range", "")
    match = _RANGE.fullmatch(text.strip())
    if not match or not offset:
        return WrongRange(f"it answers with the range {text[:60]!r} to one from byte {offset}")
    start, end = int(match[1]), int(match[2])
    size = None if match[3] == "*" else int(match[3])
    file = File(size, *_validators(headers))
    if known is not None and known.is_same(file) is False:
        return Other(CHANGED, file)
    if size is None and known is not None:
        size = known.size
    if start != offset or end < start or (size is not None and end >= size):
        return WrongRange(f"it answers with the range {text[:60]!r} to one from byte {offset}")
    return Body(File(size, file.etag, file.modified), start)


def _beyond(headers: Mapping[str, str], known: File | None) -> Answer:
    """There is nothing at that offset, so the server says."""
    match = _WHOLE.fullmatch(headers.get("Content-Range", "").strip())
    if match and known and known.size is not None and int(match[1]) != known.size:
        return Other(CHANGED, File(int(match[1])))
    return WrongRange("it does not have the range that it should")


def is_page(file: File, begin: bytes, *, is_text: bool) -> bool:
    """Whether it is a page, or a word such as OK, and no artifact, whatever it is called.

    Args:
        begin: its first `BLOCK`; less only if it is shorter.
        is_text: it is called a text.
    """
    if begin[_MARK_AT:].startswith(_MARK):
        return False
    if is_text or begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return True
    return len(begin) < BLOCK or (file.size is not None and file.size < _LEAST)


def is_called_text(headers: Mapping[str, str]) -> bool:
    """Whether a server takes what it gives for a page or another text."""
    return headers.get("Content-Type", "").strip().lower().startswith(_TEXTS)


def _validators(headers: Mapping[str, str]) -> tuple[str, str]:
    etag = headers.get("ETag", "").strip()
    is_strong = etag.startswith('"') and etag.endswith('"') and len(etag) > 2
    return etag if is_strong else "", headers.get("Last-Modified", "").strip()
