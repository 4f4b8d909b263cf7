# SPDX-License-Identifier: Apache-2.0
"""An address that may hold secrets: a login before the host, a signature in the query."""

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 1000
"""Characters of an address that are shown; a server may redirect to 64 KiB of them."""

_LOGIN = r"[^\s/?#@\"]{0,512}@"  # it may have signs that elsewhere end an address
_URL = re.compile(rf"([a-z][a-z0-9+.-]{{0,30}})://((?:{_LOGIN})?[^\s'\"<>]*)", re.IGNORECASE)
_MISTYPED = re.compile(r"\s*(https?):/*(.*)", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"(?:/(?!/)|\.{1,2}/).*", re.DOTALL)
_WORD = re.compile(r"(--[\w-]+=)?([^\s'\"]+)")
_HOST = re.compile(r"(\[[0-9a-f:.%]*\]|[^\s:\[\]@]*)(:\d*)?", re.IGNORECASE)


class Address:
    """A URL, or a path on the device, as it was given.

    As text it has neither login nor query nor fragment, and is cut off after `LONGEST` characters:
    in a log, an error, the status. Use `full` only to connect, and to remember the address. `json`
    refuses it.

    Attributes:
        full: the address as it was given.
    """

    __slots__ = ("full",)

    def __init__(self, full: str) -> None:
        self.full: Final = full

    def __str__(self) -> str:
        text = self._text()
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def _text(self) -> str:
        if match := _MISTYPED.fullmatch(self.full):
            return _shown(match[1], match[2])
        if "://" in self.full or _PATH.fullmatch(self.full):
            return hide(self.full)
        return re.split(r"[?#]", self.full, maxsplit=1)[0].rpartition("@")[2]  # mistyped, perhaps

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.full == other.full

    def __hash__(self) -> int:
        return hash(self.full)

    @property
    def scheme(self) -> str:
        """In lower case; empty if it is not a URL."""
        match = _URL.match(self.full)
        return match[1].lower() if match else ""

    @property
    def is_web(self) -> bool:
        """Whether it is an http or https URL, with a host."""
        try:
            return self.scheme in ("http", "https") and bool(urlsplit(self.full).hostname)
        except ValueError:
            return False


def hide(text: str) -> str:
    """Text from elsewhere, such as a library's error, with each URL in it shortened."""
    if "://" not in text:
        return text
    return _URL.sub(lambda match: _shown(match[1], match[2]), text)


def hide_words(text: str) -> str:
    """Text that quotes words of a command line, with each that may be an address shortened."""
    return _WORD.sub(lambda match: (match[1] or "") + _word(match[2]), text)


def _word(word: str) -> str:
    return str(Address(word)) if "@" in word or ("/" in word and "?" in word) else word


def _shown(scheme: str, rest: str) -> str:
    """A URL by what follows its scheme; if that cannot be read, the scheme only."""
    if "\\" in rest:  # read as a slash by some, and as a part of the login by others
        return f"{scheme}://…"
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if _HOST.fullmatch(host) else f"{scheme}://…"
