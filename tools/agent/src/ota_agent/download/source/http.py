# SPDX-License-Identifier: Apache-2.0
"""An artifact on a server: a stream that continues where it was when a connection was lost."""

import http.client
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import urllib3

from ota_agent import __version__
from ota_agent.address import Address, hide
from ota_agent.download import DownloadOptions
from ota_agent.download.source.limit import Limit
from ota_agent.download.source.response import (
    BLOCK,
    CHANGED,
    PAGE,
    Body,
    File,
    Later,
    Moved,
    Other,
    Refused,
    WrongRange,
    is_called_text,
    is_page,
    judge,
)
from ota_agent.download.source.retry import Changed, Patience, Surroundings, Tell
from ota_agent.errors import AgentError, NotGiven, innermost
from ota_agent.hurry import heeding, within
from ota_agent.hurry.connection import arrived
from ota_agent.retry import retry_after

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse  # of urllib3 2

logger = logging.getLogger(__name__)

_CHUNK = 1 << 18  # [B]
_LAST = 10.0  # [s] for the last try, which may begin when no time is left
_NEAR = 1 << 16  # [B] that are read over rather than asked for again
_REDIRECTS = 10
_NOT_YET_VALID = 9  # Source: OpenSSL, X509_V_ERR_CERT_NOT_YET_VALID
_LOST = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class HttpSource:
    """A file on a server, read once from start to end, over as many connections as it takes.

    Each new connection asks for the rest, if the file is still the same. Every wait has an end,
    and so has the number of tries: see `DownloadOptions`.

    Attributes:
        size: None until the server has said it [B].
        offset: how far it was read [B].
        received: bytes of the file that came, those that were known among them [B].

    Args:
        pool: makes the connections; proxies and trust are its own.
        tell: told when a connection was resumed, and of what the server cannot.
        spent: of the budget for all of it, before [s].
    """

    can_rewind = True

    def __init__(
        self,
        url: Address,
        pool: urllib3.PoolManager,
        options: DownloadOptions,
        surroundings: Surroundings,
        *,
        tell: Tell,
        spent: float = 0.0,
    ) -> None:
        self._url, self._name, self._pool = url.full, str(url), pool
        self._options, self._around, self._tell = options, surroundings, tell
        self._patience = Patience(self._name, options, surroundings, spent=spent)
        self._limit = Limit(options.bandwidth, clock=surroundings.clock, sleep=surroundings.sleep)
        self._response: BaseHTTPResponse | None = None
        self._held = b""
        self._file: File | None = None
        self._has_ranges, self._is_lost, self._is_text = True, False, False
        self._furthest = self._connections = 0
        self.offset = self.received = 0

    @property
    def size(self) -> int | None:
        """Of the file; None until the server has said it [B]."""
        return self._file.size if self._file else None

    @property
    def is_whole(self) -> bool:
        """Whether it came over one connection, up to an end that the server has announced."""
        return self._connections <= 1 and self.size is not None

    @property
    def spent(self) -> float:
        """How long the download has taken so far [s]."""
        return self._patience.spent

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes [B], ``b""`` at the end; reconnects as long as it takes.

        Raises:
            AgentError: it is not there, is not given, or a budget is used up.
            Changed: it is another file now, or one cannot tell: `rewind` and begin again.
        """
        while True:
            self._around.check()
            if self._file and self.offset == self._file.size:
                self.close()
                return b""
            try:
                data = self._piece(self._response or self._connected(), size)
            except _LOST as error:
                self._lose(self._reason(error))
                continue
            if data or self.size is None:
                self.offset += len(data)
                self._note_progress()
                return data
            self._lose("the server closed the connection")

    def skip(self, size: int, /) -> None:
        """Pass over ``size`` bytes [B]: the next request asks for what is behind them.

        Raises:
            AgentError, Changed: as `read`, if the server has no ranges.
        """
        if size > _NEAR and self._has_ranges:
            self.close()
            self.offset += size
            self._furthest = max(self._furthest, self.offset)
            return
        if size > _NEAR:
            self._tell(f"the server ignores ranges: reading over {size} B")
        end = self.offset + size
        while self.offset < end and self.read(min(_CHUNK, end - self.offset)):
            pass

    def rewind(self) -> None:
        """Begin again at byte 0 of what is there now."""
        self.close()
        self._file, self.offset, self._is_lost, self._connections = None, 0, False, 0

    def close(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()
            self._response, self._held = None, b""

    def _connected(self) -> "BaseHTTPResponse":
        """A response whose next byte is the one at `offset`; always from the first address on."""
        url, redirects = self._url, 0
        while True:
            response = self._asked(url)
            answer = judge(response.status, response.headers, self.offset, self._file)
            is_text = response.status in (200, 206) and is_called_text(response.headers)
            if not self.offset:
                self._is_text = is_text
            elif is_text and not self._is_text:
                answer = Later(PAGE)
            if isinstance(answer, Refused) and is_text:
                answer = Later(PAGE)
            if response.status == 200 and isinstance(answer, Body | Other):
                begin = self._beginning(response)
                if is_page(answer.file, begin, is_text=is_text):
                    answer = Later(PAGE)
                self._held = begin
            if isinstance(answer, Body):
                self._accept(response, answer.file, answer.start)
                return response
            self._held = b""
            response.close()
            if isinstance(answer, Moved):
                url, redirects = self._redirected(url, answer.url), redirects + 1
                if redirects > _REDIRECTS:
                    raise AgentError(
                        f"{self._name}: was redirected more than {_REDIRECTS} times; correct the"
                        " server"
                    )
                continue
            url, redirects = self._url, 0
            match answer:
                case Later(why, asked):
                    self._is_lost = self.offset > 0
                    self._patience.wait(why, retry_after(asked, self._around.now()))
                case WrongRange(why):
                    self._has_ranges = False
                    self._patience.wait(why)
                case Other(why, _):
                    self._begin_again(response, why)
                case Refused(why):
                    raise NotGiven(f"{self._name}: {why}; correct the address or the server")

    def _asked(self, url: str) -> "BaseHTTPResponse":
        with self._hurried():
            return self._pool.request(
                "GET",
                url,
                headers=self._headers(),
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(
                    connect=min(60.0, self._options.inactivity), read=self._options.inactivity
                ),
            )

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """An answer's head, or a piece of its body, has this long; an abort ends it as well."""
        seconds = min(self._options.inactivity, max(self._patience.left, _LAST))
        with within(seconds), heeding(self._around.check):
            yield

    def _redirected(self, old: str, location: str) -> str:
        """The address that a redirect leads to."""
        try:
            new = Address(urljoin(old, location))
        except ValueError as error:  # not an address at all, as [x
            raise AgentError(
                f"{self._name}: is redirected to {Address(location)}, which is not an address;"
                " correct the server"
            ) from error
        is_web = new.scheme in ("http", "https")
        if not is_web or (Address(old).scheme, new.scheme) == ("https", "http"):
            raise AgentError(
                f"{self._name}: is redirected to {new}, and from https that must be"
                " https; correct the server"
            )
        logger.info("%s: is redirected to %s", self._name, new)
        return new.full

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "User-Agent": f"ota-agent/{__version__}"}
        if self.offset and self._has_ranges:
            headers["Range"] = f"bytes={self.offset}-"
            if self._file and self._file.validator:
                headers["If-Range"] = self._file.validator
        return headers

    def _accept(self, response: "BaseHTTPResponse", file: File, start: int) -> None:
        self._response = response
        self._connections += 1
        if self._file is None:
            self._file = file
        elif self._file.size is None:
            self._file = replace(self._file, size=file.size)
        if response.headers.get("Accept-Ranges", "").strip().lower() == "none":
            self._has_ranges = False
        known = self.offset - start
        if known:
            self._has_ranges = False
            self._tell(f"the server ignores ranges: reading over {known} B")
            while known:
                self._around.check()
                self._patience.require_total()
                data = self._piece(response, min(known, _CHUNK))
                if not data:
                    raise urllib3.exceptions.ProtocolError("the server closed the connection")
                known -= len(data)
        elif self._is_lost:
            self._tell(f"resumed at {self.offset} B after a lost connection")
        self._is_lost = False

    def _begin_again(self, response: "BaseHTTPResponse", why: str) -> None:
        if response.status == 200 and self._file and not self._file.validator:
            self._has_ranges = False  # there was no condition that it could have failed
        if why == CHANGED:
            self._furthest = 0
        self._patience.wait(why)
        raise Changed(f"{self._name}: {why}")

    def _beginning(self, response: "BaseHTTPResponse") -> bytes:
        """The first block of a body, however it drips; less if the body is shorter."""
        begin = b""
        while len(begin) < BLOCK and (piece := self._arrived(response, BLOCK - len(begin))):
            begin += piece
            self._around.check()
            self._patience.require_total()
        return begin

    def _piece(self, response: "BaseHTTPResponse", size: int) -> bytes:
        """Some of what has arrived, at most ``size`` bytes [B]; it has been waited for."""
        if not self._held:
            return self._arrived(response, size)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def _arrived(self, response: "BaseHTTPResponse", size: int) -> bytes:
        size = self._limit.portion(size)
        with self._hurried():
            data = arrived(response, size)
        self.received += len(data)
        self._limit.take(len(data))
        return data

    def _reason(self, error: Exception) -> str:
        """Why a connection was lost, in one line.

        Raises:
            AgentError: it is not worth another try.
        """
        if isinstance(error, urllib3.exceptions.LocationValueError):
            raise AgentError(f"{hide(str(error))}; correct the address") from error
        distrust = _distrust(error)
        if distrust and self._around.is_by_hand and self._file is None:
            raise AgentError(distrust) from error
        return distrust or f"no connection, or lost: {hide(innermost(error))}"

    def _note_progress(self) -> None:
        if self.offset > self._furthest:
            self._furthest = self.offset
            self._patience.progressed()

    def _lose(self, why: str) -> None:
        self.close()
        self._is_lost = self.offset > 0
        at = f" at byte {self.offset}" if self.offset else ""
        self._patience.wait(f"{why}{at}")


def _distrust(error: Exception) -> str:
    """Why the other side is not believed to be who it should be; empty if that is not why."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, ssl.SSLCertVerificationError) and each.verify_code != _NOT_YET_VALID:
            return (
                f"the server's certificate is not trusted: {each.verify_message}; correct the"
                " certificate, the clock, or what is trusted (tls)"
            )
        if type(each).__name__ == "CertificateError":  # urllib3's: another host's certificate
            return (
                f"the server's certificate is not trusted: {each}; correct the address or the"
                " certificate"
            )
        if type(each) is ssl.SSLError and not getattr(each, "reason", None):  # not OpenSSL's: a pin
            return str(each)
        cause = each.__cause__ or each.__context__
        each = cause or next((arg for arg in each.args if isinstance(arg, Exception)), None)
    return ""
