# SPDX-License-Identifier: Apache-2.0
"""What a server answers, and what that means: never believed to be short, whole or right."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from ota_agent.address import Address, hide
from ota_agent.errors import AgentError, Unauthorized, Unreachable, innermost
from ota_agent.hurry import within
from ota_agent.hurry.connection import arrived
from ota_agent.retry import date_of, retry_after, seconds
from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import parse_any, parse_object

LIMIT = 1 << 20  # [B] of a body. Source: Mender's server, SERVICE_REQUEST_SIZE_LIMIT
_PIECE = 1 << 13  # [B]
_SLOWEST = 4096.0  # [B/s] that a request with a long body may go out with
_SAID = 300  # characters of an answer that are repeated in an error


class TooLarge(AgentError):
    """What was sent is too large for the server: it is neither sent again, nor to another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the server.

    Attributes:
        where: the method and the address, for messages.
        address: that was asked.
        retry_after: what it asks us to wait [s]; 0 if it does not say.
        poll_after: when it wants to be asked again if it has nothing now [s]; 0 if it does not say.
        kind: of the body, such as ``application/json``; in lower case, without parameters.
        date: when it was sent, by the clock of a server that TLS has authenticated [s since 1970];
            0 if it does not say.
    """

    where: str
    address: Address
    status: int
    body: bytes
    retry_after: float = 0.0
    poll_after: float = 0.0
    kind: str = ""
    date: float = 0.0

    def json(self) -> dict[str, Any]:
        """The object in it.

        Raises:
            Unreachable: there is none.
        """
        try:
            return parse_object(self.body, self.where)
        except ArtifactError as error:
            raise Unreachable(f"{error}; is this the address of a server for updates?") from error

    def text(self) -> str:
        """What it says of an error."""
        try:
            said = parse_any(self.body).get("error", "")
        except (ValueError, AttributeError):
            said = self.body[: 4 * _SAID].decode("utf-8", "replace").strip()
        return " ".join(str(said).split())[:_SAID] or "(no reason given)"

    @property
    def is_from_server(self) -> bool:
        """Whether the server itself says so, and not a proxy before it, or a captive portal."""
        try:
            return "error" in parse_any(self.body)
        except (ValueError, TypeError):
            return False

    def unauthorized(self, text: str) -> Unreachable:
        """The error for a 401: a proxy's or a network's page for a login is not the server's."""
        if "html" in self.kind or self.body.lstrip()[:1] == b"<":
            return Unreachable(f"{self.where}: 401, and not from a server for updates")
        return Unauthorized(text, self.retry_after)

    def check_empty(self) -> None:
        """Pass if it has no text, or JSON: a page says that another server has answered.

        Raises:
            Unreachable: it has another text.
        """
        try:
            parse_any(self.body or b"{}")
        except ValueError:
            raise Unreachable(
                f"{self.where}: {self.status}, and not from a server for updates: {self.text()}"
            ) from None

    def check(self, *success: int) -> None:
        """Pass if it is one of the statuses that say that the server has understood.

        Any other says nothing of the kind: a health page, and many a captive portal, has 200 for
        everything.

        Raises:
            Unreachable: the server cannot, for now; or it is none for updates.
            TooLarge: it takes no more than so much.
            AgentError: it refuses, and would again.
        """
        if self.status in success:
            return
        if self.status == 413:
            raise TooLarge(f"{self.where}: 413: too large for the server; it is not sent again")
        if self.status == 429 or self.status >= 500:
            raise Unreachable(f"{self.where}: {self.status}: {self.text()}", self.retry_after)
        if 300 <= self.status < 400:
            text = f"{self.where}: {self.status}: the server redirects; configure its final address"
            raise AgentError(text) if self.is_from_server else Unreachable(text)
        if self.status < 400 or not self.is_from_server:
            raise Unreachable(
                f"{self.where}: {self.status}, and not from a server for updates: {self.text()}"
            )
        raise AgentError(f"{self.where}: {self.status}: {self.text()}")


def ask(
    pool: Callable[[], urllib3.PoolManager],
    method: str,
    url: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
    patience: float,
    now: Callable[[], float] = time.time,
) -> Answer:
    """Send a request, and read its answer whole.

    Args:
        patience: how long all of it may take [s], and a long body a second more for each 4 KiB.

    Raises:
        Unreachable: no answer, or one that is too long, too slow, cut off or encoded.
        AgentError: plain HTTP that is not allowed.
    """
    address = Address(url)
    where = f"{method} {address}"
    response = None
    is_whole = False
    try:
        with within(patience + len(body or b"") / _SLOWEST):
            response = pool().urlopen(
                method,
                url,
                body=body,
                headers={"Accept-Encoding": "identity", **headers},
                preload_content=False,
                decode_content=False,
                timeout=patience,
            )
            data = _read(response, where)
            is_whole = True
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise Unreachable(f"{where}: {_why(error)}") from error
    finally:
        if response is not None:
            if not is_whole:
                response.close()
            response.release_conn()
    return Answer(
        where=where,
        address=address,
        status=response.status,
        body=data,
        retry_after=retry_after(response.headers.get("Retry-After"), now()) or 0.0,
        poll_after=seconds(response.headers.get("X-OTA-Poll-After")) or 0.0,
        kind=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        date=date_of(response.headers.get("Date")) or 0.0 if url.startswith("https:") else 0.0,
    )


def _read(response: Any, where: str) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Unreachable(f"{where}: the answer is encoded as {encoding[:40]!r}; it is rejected")
    data = bytearray()
    while piece := arrived(response, _PIECE):
        data += piece
        if len(data) > LIMIT:
            raise Unreachable(f"{where}: the answer is longer than {LIMIT} B; it is rejected")
    announced = response.headers.get("Content-Length", "").strip()
    if announced.isdecimal() and data and not response.chunked and len(data) < int(announced[:9]):
        raise Unreachable(f"{where}: the answer ended at {len(data)} of {announced[:9]} B")
    return bytes(data)


def _why(error: BaseException) -> str:
    text = hide(innermost(error))
    if "not yet valid" in text or "has expired" in text:
        text += "; is this device's clock right?"
    return text
