# SPDX-License-Identifier: Apache-2.0
"""The server: Mender's device API. Source: Mender's API documentation, device APIs."""

import hashlib
import json
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode, urljoin

import urllib3

from ota_agent import __version__
from ota_agent.address import Address
from ota_agent.errors import Aborted, AgentError, Unauthorized, Unreachable
from ota_agent.server.options import ServerOptions
from ota_agent.server.response import Answer, TooLarge, ask
from ota_artifact.provides import NAME

logger = logging.getLogger(__name__)

_AUTHENTICATION = "/api/devices/v1/authentication/auth_requests"
_INVENTORY = "/api/devices/v1/inventory/device/attributes"
_DEPLOYMENTS = "/api/devices/{version}/deployments/device/deployments"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TOKEN = re.compile(rb"[\x21-\x7e]{1,16384}")
_JWT = re.compile(rb"e[wy][\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""A token by its looks: three parts, and an object begins in the first. Source: RFC 7519, 3."""
_BACK = 3600.0  # [s] from leaving the first address until it is tried again
_Result = TypeVar("_Result")
_SUBSTATE = 200  # characters. Source: Mender's server


class Key(Protocol):
    """The key that the server knows the device by: `key.DeviceKey`."""

    @property
    def public(self) -> str:
        """In PEM."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The raw signature of a message."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the server wants installed.

    Attributes:
        id: its name on the server; letters, digits, dots and dashes.
        url: of the artifact.
        control_map: the server's update control map, unchecked; None if it has none.
        artifact: name of the artifact; empty if the server does not say.
    """

    id: str
    url: Address
    control_map: dict[str, Any] | None = None
    artifact: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Session:
    """That a server has accepted us.

    Attributes:
        url: of the server.
        token: shown with each request.
    """

    url: Address
    token: str = field(repr=False)


class _Unknown(Aborted):
    """A server does not know a deployment, which another one may have given."""


class Server:
    """The server, or the first of its addresses that answers.

    Every call ends, with what it is for or with an error: `Unreachable` if another try makes sense,
    `Unauthorized` (one of those) if the server does not accept this device yet, `AgentError` if it
    refuses. A token that is refused is replaced once. An address that fails, refuses, or answers
    what no server for updates does is left for the next one; an hour later a poll begins with the
    first again.

    Args:
        pool: gives the connections, each time that they are needed.
        identity: gives the JSON text that tells this device from all others.
        accepted: told that text, once a server has accepted the device by it.
        heard: told what time it is by the server, which TLS has authenticated [s since 1970].
    """

    def __init__(
        self,
        options: ServerOptions,
        pool: Callable[[], urllib3.PoolManager],
        key: Key,
        identity: Callable[[], str],
        *,
        accepted: Callable[[str], object] = lambda identity: None,
        heard: Callable[[float], object] = lambda date: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._pool, self._key, self._identity = options, pool, key, identity
        self._accepted, self._heard, self._clock = accepted, heard, clock
        self._urls = tuple(Address(each.rstrip("/")) for each in options.urls)
        for url in self._urls:
            if not url.is_web:
                raise AgentError(f"server.urls: '{url}' is not an address; write it as https://…")
        self._next = 0
        self._away_since = clock()
        self._giver: tuple[str, Address] | None = None
        self._session: Session | None = None
        self._has_v2 = True
        self._inventory = b""
        self.poll_after = 0.0
        """When the server wants to be asked again [s], if it said so in its last answer, a 204."""

    @property
    def session(self) -> Session | None:
        """The token in use; None if there is none."""
        return self._session

    def authenticate(self) -> Session:
        """Have a token, a new one if there is none.

        Raises:
            Unreachable, Unauthorized, AgentError: as the class says.
        """
        return self._session or self._authenticated()

    def forget_token(self) -> None:
        """Authenticate again with the next call: key, identity or system may have changed."""
        self._session, self._next = None, 0

    def next_deployment(self, provides: Mapping[str, str], device_type: str) -> Deployment | None:
        """The update that the server has for us; None if it has none."""
        if self._next and self._clock() - self._away_since >= _BACK:
            logger.info("server: %s is tried again", self._urls[0])
            self.forget_token()
        known = {**provides, "device_type": device_type}
        found = self._served(lambda: self._asked(known))
        if found is not None and self._session is not None:
            self._giver = (found.id, self._session.url)
        return found

    def _asked(self, known: Mapping[str, str]) -> Deployment | None:
        """What the server in use has for us."""
        if self._has_v2:
            path = _DEPLOYMENTS.format(version="v2") + "/next"
            wanted = {"device_provides": known, "update_control_map": True}
            answer = self._call("POST", path, wanted)
            if answer.status != 404:
                return _deployment(answer)
            logger.debug("the server has no version 2 of deployments; version 1 from now on")
        path = _DEPLOYMENTS.format(version="v1") + "/next"
        names = {name: known.get(name, "") for name in (NAME, "device_type")}
        answer = self._call("GET", f"{path}?{urlencode(names)}")
        found = _deployment(answer)
        self._has_v2 = False
        return found

    def report(self, deployment: str, status: str, substate: str = "") -> None:
        """Tell how far the update is.

        Raises:
            Aborted: the server no longer wants it, or does not know it.
        """
        body = {"status": status}
        if substate:
            body["substate"] = substate[:_SUBSTATE]

        def tell() -> None:
            answer = self._call("PUT", _of(deployment, "status"), body)
            self._check_wanted(deployment, answer)
            answer.check(204)

        self._served(tell)

    def send_log(self, deployment: str, lines: Iterable[Mapping[str, str]]) -> None:
        """Give the server the log of the deployment.

        Args:
            lines: with timestamp, level and message each; under 1 MiB in all.
        """
        messages = list(lines)
        if messages:
            path, body = _of(deployment, "log"), {"messages": messages}
            self._served(lambda: self._call("PUT", path, body).check(204))

    def send_inventory(
        self, attributes: Mapping[str, str | tuple[str, ...]], *, is_again: bool = False
    ) -> None:
        """Tell what is in this device.

        Args:
            is_again: also what this token's server was told last.
        """
        body = [
            {"name": name, "value": value if isinstance(value, str) else list(value)}
            for name, value in sorted(attributes.items())
        ]
        digest = hashlib.sha256(_json(body)).digest()

        def tell() -> None:
            self.authenticate()  # forgets what another server was told
            if digest == self._inventory and not is_again:
                logger.debug("the inventory is as it was")
                return
            answer = self._call("PUT", _INVENTORY, body)
            if answer.status == 405:
                answer = self._call("PATCH", _INVENTORY, body)
            answer.check(200)
            answer.check_empty()
            self._inventory = digest

        self._served(tell)

    def control_map(self, deployment: str) -> dict[str, Any] | None:
        """The server's update control map for a deployment; None if it has none.

        Raises:
            Aborted: the server no longer knows the deployment.
        """

        def ask() -> dict[str, Any] | None:
            answer = self._call("GET", _of(deployment, "update_control_map", version="v2"))
            self._check_wanted(deployment, answer)
            answer.check(200, 204)
            return _map(answer.json()) if answer.status == 200 else None

        return self._served(ask)

    def _check_wanted(self, deployment: str, answer: Answer) -> None:
        """Pass unless the answer says that the deployment is off.

        Raises:
            Aborted: it is.
            _Unknown: it is not known there; of several servers, another one may have given it.
        """
        if answer.status not in (404, 409) or not answer.is_from_server:
            return
        text = f"deployment {deployment}: {answer.text()} (the server has aborted it)"
        is_giver = self._session is not None and self._giver == (deployment, self._session.url)
        if answer.status == 404 and len(self._urls) > 1 and not is_giver:
            raise _Unknown(text)
        raise Aborted(text)

    def _served(self, work: Callable[[], _Result]) -> _Result:
        """What the work gives with the server in use, or with the next that does what it should."""
        failures: list[AgentError] = []
        while True:
            session = self.authenticate()
            try:
                return work()
            except AgentError as error:
                is_final = isinstance(error, Aborted | TooLarge) and not isinstance(error, _Unknown)
                failures.append(error)
                if is_final or len(failures) >= len(self._urls):
                    raise _worst(failures) from error
                self._leave(session, str(error))

    def _call(self, method: str, path: str, value: object = None) -> Answer:
        """The answer of the server in use, as far as it is not about who we are."""
        body = None if value is None else _json(value)
        refused = 0
        while True:
            session = self.authenticate()
            headers = {"Authorization": f"Bearer {session.token}"}
            answer = self._ask(method, session.url.full + path, body, headers)
            if answer.status != 401:
                self._heard(answer.date)
                self.poll_after = answer.poll_after if answer.status == 204 else 0.0
                return answer
            self._session = None
            refused += 1
            if refused > 1:
                text = f"{answer.where}: 401: {answer.text()}; is it still accepted?"
                raise answer.unauthorized(text)

    def _leave(self, session: Session, why: str) -> None:
        """Continue with the next address."""
        self._next = (self._urls.index(session.url) + 1) % len(self._urls)
        self._session = None
        logger.warning("server: %s; trying %s", why, self._urls[self._next])

    def _authenticated(self) -> Session:
        if not self._urls:
            raise AgentError("server.urls: is empty: this device has no server; configure one")
        request = {"id_data": self._identity(), "pubkey": self._key.public}
        if self._options.tenant_token:
            request["tenant_token"] = self._options.tenant_token
        body = _json(request)
        headers = {"X-MEN-Signature": b64encode(self._key.sign(body)).decode("ascii")}
        failures: list[Unreachable] = []
        for offset in range(len(self._urls)):
            number = (self._next + offset) % len(self._urls)
            try:
                token = self._token(self._urls[number], body, headers)
            except Unreachable as error:
                failures.append(error)
                continue
            if number:
                self._away_since = self._clock()
            self._next, self._has_v2, self._inventory = number, True, b""
            self._session = session = Session(self._urls[number], token)
            logger.info("server: %s accepts this device", session.url)
            self._accepted(request["id_data"])
            return session
        text = "; ".join(map(str, failures))
        wait = max(each.retry_after for each in failures)
        if any(isinstance(each, Unauthorized) for each in failures):
            raise Unauthorized(text, wait)
        raise Unreachable(text, wait)

    def _token(self, url: Address, body: bytes, headers: Mapping[str, str]) -> str:
        answer = self._ask("POST", url.full + _AUTHENTICATION, body, headers)
        if answer.status == 401:
            text = f"does not accept this device, or not yet ({answer.text()}); accept it there"
            raise answer.unauthorized(f"{url}: {text}")
        if answer.status != 200:
            raise Unreachable(
                f"{answer.where}: {answer.status}: {answer.text()}", answer.retry_after
            )
        token = answer.body.strip()
        is_named = answer.kind == "application/jwt"
        if not (_TOKEN.fullmatch(token) and (is_named or _JWT.fullmatch(token))):
            raise Unreachable(f"{answer.where}: what it answers is not a token")
        return token.decode("ascii")

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        common = {"User-Agent": f"ota-agent/{__version__}", "Accept": "application/json"}
        if body is not None:
            common["Content-Type"] = "application/json"
        told, patience = {**common, **headers}, self._options.timeout
        return ask(self._pool, method, url, body=body, headers=told, patience=patience)


def _worst(failures: Sequence[AgentError]) -> AgentError:
    """What several servers say, as one error; another try makes sense if it does for one."""
    last = failures[-1]
    if len(failures) == 1 or isinstance(last, TooLarge):
        return last
    text = "; ".join(map(str, failures))
    if isinstance(last, Aborted) and not isinstance(last, _Unknown):
        return last
    if all(isinstance(each, _Unknown) for each in failures):
        return Aborted(text)
    later = [each for each in failures if isinstance(each, Unreachable)]
    if later:
        return Unreachable(text, max(each.retry_after for each in later))
    return AgentError(text)


def _deployment(answer: Answer) -> Deployment | None:
    answer.check(200, 204)
    if answer.status == 204:
        return None
    found = answer.json()
    name = found.get("id")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Unreachable(f"{answer.where}: a deployment without a name that can be one")
    try:
        uri = found["artifact"]["source"]["uri"]
        url = Address(urljoin(answer.address.full, uri)) if uri else None
    except (KeyError, TypeError, ValueError, AttributeError):
        url = None
    if url is None or not url.is_web:
        raise Unreachable(f"{answer.where}: deployment {name} has no address of an artifact")
    artifact = found["artifact"].get(NAME)
    return Deployment(
        id=name,
        url=url,
        control_map=_map(found),
        artifact=artifact if isinstance(artifact, str) else "",
    )


def _of(deployment: str, what: str, version: str = "v1") -> str:
    return f"{_DEPLOYMENTS.format(version=version)}/{quote(deployment, safe='')}/{what}"


def _map(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """As it is; another value than a map stays what it is, and is refused later."""
    value = found.get("update_control_map")
    return value if value is None or isinstance(value, dict) else {"not a map": value}


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")  # a lone surrogate, from a file name, has no UTF-8
