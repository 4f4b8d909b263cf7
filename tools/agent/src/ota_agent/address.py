# SPDX-License-Identifier: Apache-2.0
"""An address that may hold secrets: a login before the host, a signature in the query."""

import re
from typing import Final
from urllib.parse import urlsplit

_URL = re.compile(r"([a-z][a-z0-9+.-]{0,30})://([^\s'\"<>]*)", re.IGNORECASE)
_MISTYPED = re.compile(r"\s*(https?):/*(.*)", re.IGNORECASE | re.DOTALL)
_LOGIN = re.compile(r"\A[^/\s@:]*:[^/\s@]*@")
_HOST = re.compile(r"(\[[0-9a-f:.%]*\]|[^\s:\[\]@]*)(:\d*)?", re.IGNORECASE)


class Address:
    """A URL, or a path on the device, as it was given.

    As text it has neither login nor query nor fragment: in a log, an error, the status. Use `full`
    only to connect, and to remember the address. `json` refuses it.

    Attributes:
        full: the address as it was given.
    """

    __slots__ = ("full",)

    def __init__(self, full: str) -> None:
        self.full: Final = full

    def __str__(self) -> str:
        if match := _MISTYPED.fullmatch(self.full):
            return _shown(match[1], match[2])
        return hide(_LOGIN.sub("", self.full, count=1))

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


def _shown(scheme: str, rest: str) -> str:
    """A URL by what follows its scheme; if that cannot be read, the scheme only."""
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if _HOST.fullmatch(host) else f"{scheme}://…"
