# SPDX-License-Identifier: Apache-2.0
"""What a server answers, and what that means: never believed to be short, whole or right."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from ota_agent.address import Address, hide
from ota_agent.errors import AgentError, Unreachable, innermost
from ota_agent.hurry import reading
from ota_agent.retry import date_of, retry_after
from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import parse_object

LIMIT = 1 << 20  # [B] of a body. Source: Mender's server, SERVICE_REQUEST_SIZE_LIMIT
_PIECE = 1 << 13  # [B]
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
        kind: of the body, such as ``application/json``; in lower case, without parameters.
        date: when it was sent, by the clock of a server that TLS has authenticated [s since 1970];
            0 if it does not say.
    """

    where: str
    address: Address
    status: int
    body: bytes
    retry_after: float = 0.0
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
            said = json.loads(self.body).get("error", "")
        except (ValueError, AttributeError, RecursionError):
            said = self.body[: 4 * _SAID].decode("utf-8", "replace").strip()
        return " ".join(str(said).split())[:_SAID] or "(no reason given)"

    @property
    def is_from_server(self) -> bool:
        """Whether the server itself says so, and not a proxy before it, or a captive portal."""
        try:
            return "error" in json.loads(self.body)
        except (ValueError, TypeError, RecursionError):
            return False

    def check_empty(self) -> None:
        """Pass if it has no text, or JSON: a page says that another server has answered.

        Raises:
            Unreachable: it has another text.
        """
        try:
            json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
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
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Send a request, and read its answer whole.

    Args:
        patience: how long each wait for the server may take, and its answer in all [s].

    Raises:
        Unreachable: no answer, or one that is too long or too slow.
        AgentError: plain HTTP that is not allowed.
    """
    address = Address(url)
    where = f"{method} {address}"
    response = None
    try:
        response = pool().urlopen(
            method,
            url,
            body=body,
            headers=dict(headers),
            preload_content=False,
            timeout=patience,
        )
        with reading(response):
            data = _read(response, where, clock() + patience, clock)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if response is not None:
            response.close()
        raise Unreachable(f"{where}: {_why(error)}") from error
    finally:
        if response is not None:
            response.release_conn()
    return Answer(
        where=where,
        address=address,
        status=response.status,
        body=data,
        retry_after=retry_after(response.headers.get("Retry-After"), now()) or 0.0,
        kind=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        date=date_of(response.headers.get("Date")) or 0.0 if url.startswith("https:") else 0.0,
    )


def _read(response: Any, where: str, end: float, clock: Callable[[], float]) -> bytes:
    data = bytearray()
    while piece := _piece(response):
        data += piece
        if len(data) > LIMIT:
            response.close()
            raise Unreachable(f"{where}: the answer is longer than {LIMIT} B; it is rejected")
        if clock() > end:
            response.close()
            raise Unreachable(f"{where}: the answer did not come to its end in time")
    return bytes(data)


def _piece(response: Any) -> bytes:
    """What has come by now, and not a whole piece: a server may drip."""
    found: bytes = response.read1(_PIECE) if hasattr(response, "read1") else response.read(1)
    return found


def _why(error: BaseException) -> str:
    text = hide(innermost(error))
    if "not yet valid" in text or "has expired" in text:
        text += "; is this device's clock right?"
    return text
