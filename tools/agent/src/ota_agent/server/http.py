# SPDX-License-Identifier: Apache-2.0
"""Connections to servers: who is trusted, who we are, and which proxy is between.

Works with urllib3 1.26 and 2.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Url, make_headers, parse_url

from ota_agent.address import Address
from ota_agent.errors import AgentError
from ota_agent.hurry.connection import Hurried
from ota_agent.hurry.sockets import Secure
from ota_agent.owners import require_trusted
from ota_agent.server.names import check_names
from ota_agent.server.options import TlsOptions
from ota_agent.server.pin import parse_pin, pin_of
from ota_agent.small_file import require_file

logger = logging.getLogger(__name__)

_LOST = (urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError)
"""How a connection ends that was good once."""
_IDLE = 10.0  # [s] after which silence, too, may be that of a router which has forgotten it


def pool(
    options: TlsOptions,
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> urllib3.PoolManager:
    """Connections by these options, through the proxies of the environment.

    A request fails at once, with an urllib3 HTTPError, if it cannot be answered, and a redirect is
    not followed: the caller decides about another try, and about another address. Only where a
    connection was idle before, and is lost, a new one is tried at once.

    Args:
        timeout: for connecting, and for each wait for more bytes [s].
        environment: http_proxy, https_proxy and no_proxy, in either case; by default ours.

    Raises:
        AgentError: an option names a file or a pin that is of no use; a request raises it for
            plain HTTP that is not allowed.
    """
    if options.skip_verify:
        logger.warning(
            "tls: skip_verify is set: ANY server is trusted, even one that pretends to be yours;"
            " never set it on a device in the field"
        )
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    trust = _Trust.of(options)
    variables = os.environ if environment is None else environment
    return _Pool(trust, timeout, _proxies(variables), plain=options.allow_plain_http, clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    """How the other side of a connection is checked.

    Attributes:
        context: for hosts without a pin.
        pinned: for those with one.
        hosts: that have one; none means all.
    """

    context: ssl.SSLContext
    pinned: ssl.SSLContext
    pins: frozenset[bytes]
    hosts: frozenset[str]

    @classmethod
    def of(cls, options: TlsOptions) -> "_Trust":
        context = _context(options, checks_chain=not options.skip_verify)
        pins = frozenset(parse_pin(each) for each in options.pins)
        is_pin_enough = not (options.ca_bundle or options.server_certificate)
        pinned = _context(options, checks_chain=False) if pins and is_pin_enough else context
        hosts = frozenset(each.lower() for each in options.pinned_hosts)
        return cls(context=context, pinned=pinned, pins=pins, hosts=hosts)

    def is_pinned(self, host: str) -> bool:
        return bool(self.pins) and (not self.hosts or host.lower() in self.hosts)

    def check_pin(self, host: str, certificate: bytes | None) -> None:
        """Pass if the certificate [DER] holds a pinned key; raises ssl.SSLError."""
        try:
            found = pin_of(certificate or b"")
        except ValueError as error:
            raise ssl.SSLError(f"{host}: {error}") from error
        if found not in self.pins:
            raise ssl.SSLError(
                f"{host}: its certificate holds the public key {found.hex()}, not one of the"
                f" {len(self.pins)} in tls.pins; if the server's key was changed, pin the new one"
            )


def _context(options: TlsOptions, *, checks_chain: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = Secure
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # urllib3 matches the name once the chain is right: 1.26 gives OpenSSL no name for an address.
    context.check_hostname = False
    context.hostname_checks_common_name = False
    if not checks_chain:
        context.verify_mode = ssl.CERT_NONE
    else:
        # A server's own certificate is enough, even if nobody has signed it. Strict, the default
        # since Python 3.13, would refuse what other clients take: it is the same with every Python.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if options.ca_bundle:
            _trust(context, "ca_bundle", options.ca_bundle)
        else:
            context.load_default_certs()
        if options.server_certificate:
            _trust(context, "server_certificate", options.server_certificate)
    if options.client_certificate:
        _identify(context, options)
    return context


def _trust(context: ssl.SSLContext, option: str, path: str) -> None:
    require_trusted(Path(path))
    try:
        require_file(Path(path))
        context.load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one
        raise AgentError(
            f"tls.{option}: {path}: {error.strerror or error}; it must be certificates in PEM"
        ) from error


def _identify(context: ssl.SSLContext, options: TlsOptions) -> None:
    named = [Path(each) for each in (options.client_certificate, options.client_key) if each]
    for each in named:
        require_trusted(each)
    try:
        for each in named:
            require_file(each)
        context.load_cert_chain(
            options.client_certificate,
            options.client_key or None,
            password="",
        )
    except OSError as error:
        files = f"{options.client_certificate} {options.client_key}".strip()
        raise AgentError(
            f"tls.client_certificate: {files}: {error.strerror or error}; it must be a certificate"
            " and its key in PEM, the key without a passphrase"
        ) from error


class _Pool(urllib3.PoolManager):
    """Looks at each address: is it allowed, and is there a proxy before it?"""

    def __init__(
        self,
        trust: _Trust,
        timeout: float,
        proxies: Mapping[str, str],
        *,
        plain: bool,
        clock: Callable[[], float],
    ) -> None:
        self._settings: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=timeout, read=timeout),
            "retries": False,
            "ssl_context": trust.context,
        }
        super().__init__(**self._settings)
        self._classes: dict[str, type] = {"http": _PlainPool, "https": _pool_class(trust)}
        self.pool_classes_by_scheme = self._classes
        self._proxies, self._managers = proxies, dict[str, urllib3.ProxyManager]()
        self._is_plain_allowed, self._warned = plain, set[str]()
        self._clock, self._used = clock, 0.0

    def urlopen(  # type: ignore[override]  # as urllib3's own
        self, method: str, url: str, redirect: bool = True, **more: Any
    ) -> Any:
        address = _parsed(url)
        host = address.host or ""
        if address.scheme == "http":
            self._allow_plain(url, host)
        proxy = self._proxies.get(address.scheme or "")
        manager: urllib3.PoolManager | None = None
        if proxy and not _is_exempt(host, self._proxies.get("no", "")):
            manager = self._managers.get(proxy) or self._managed(proxy)
        ask = manager.urlopen if manager else super().urlopen
        connections = (manager or self).connection_from_url(url)
        opened, is_idle = connections.num_connections, self._clock() - self._used >= _IDLE
        self._used = self._clock()
        try:
            # A router that has forgotten an idle connection leaves time for a new one.
            timeout = more.get("timeout", self._settings["timeout"])
            first = {"timeout": _halved(timeout)} if is_idle and opened else {}
            return ask(method, url, redirect=False, **{**more, **first})
        except (*_LOST, urllib3.exceptions.ReadTimeoutError) as error:
            is_lost = isinstance(error, _LOST) or is_idle
            if connections.num_connections != opened or not is_lost:
                raise
            # It may have died long ago, and says nothing of the server. All that we ask for may be
            # asked for twice.
            logger.debug("%s: an idle connection was lost (%s)", host, error)
        return ask(method, url, redirect=False, **more)

    def clear(self) -> None:
        """Close what is open and unused."""
        super().clear()
        for each in self._managers.values():
            each.clear()

    def _allow_plain(self, url: str, host: str) -> None:
        if not self._is_plain_allowed:
            raise AgentError(
                f"{Address(url)}: is plain HTTP, which anybody on the way can read and change; use"
                " https, or set tls.allow_plain_http on a bench"
            )
        if host not in self._warned:
            self._warned.add(host)
            logger.warning("%s: plain HTTP: anybody on the way can read and change it", host)

    def _managed(self, proxy: str) -> urllib3.ProxyManager:
        try:
            address = parse_url(proxy)
        except urllib3.exceptions.LocationParseError as error:
            raise AgentError(
                f"{Address(proxy)}: is not the address of a proxy; correct http_proxy and"
                " https_proxy in the agent's environment"
            ) from error
        headers = make_headers(proxy_basic_auth=address.auth) if address.auth else None
        manager = urllib3.ProxyManager(
            proxy,
            proxy_headers=headers,
            proxy_ssl_context=self._settings["ssl_context"],
            **self._settings,
        )
        manager.pool_classes_by_scheme = self._classes
        self._managers[proxy] = manager
        return manager


def _halved(timeout: urllib3.Timeout | float) -> urllib3.Timeout:
    """A timeout whose waits are half as long."""
    if isinstance(timeout, urllib3.Timeout):
        read = timeout.read_timeout
        return urllib3.Timeout(connect=timeout.connect_timeout, read=read / 2 if read else read)
    return urllib3.Timeout(connect=timeout, read=timeout / 2)


@lru_cache(maxsize=8)
def _parsed(url: str) -> Url:
    """A device asks the same few addresses all its life."""
    return parse_url(url)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = Hurried


def _pool_class(trust: _Trust) -> type[HTTPSConnectionPool]:
    """The class of connections that are checked by ``trust``; urllib3 takes a class, no object."""

    class Connection(Hurried, HTTPSConnection):
        _held: bytearray | None = None

        def request(self, *words: Any, **more: Any) -> None:
            """As urllib3's, in one record of TLS, where it would send the head by itself."""
            self._held = bytearray()
            try:
                super().request(*words, **more)
            finally:
                held, self._held = self._held, None
            super().send(held)

        def send(self, data: Any) -> None:
            if self._held is None:
                super().send(data)
            else:
                self._held += data

        def connect(self) -> None:
            host: str = getattr(self, "_tunnel_host", None) or self.host
            is_pinned = trust.is_pinned(host)
            self.ssl_context = trust.pinned if is_pinned else trust.context
            self.cert_reqs = self.ssl_context.verify_mode
            # Debian's urllib3 1.26 would have every context trust the system's authorities as well.
            self.ca_certs = self.ca_cert_dir = self.ca_cert_data = None
            super().connect()
            if self.ssl_context.verify_mode != ssl.CERT_NONE:
                check_names(host, cast(ssl.SSLSocket, self.sock).getpeercert() or {})
            if is_pinned:
                trust.check_pin(host, cast(ssl.SSLSocket, self.sock).getpeercert(True))
                self.is_verified = True

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The address of the proxy for each scheme, and under ``no`` who is reached without one.

    Lower case wins. In a CGI program, a client sets HTTP_PROXY, and it is not read.
    """
    is_cgi = "REQUEST_METHOD" in environment
    found = {}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        upper = "" if is_cgi and name == "http_proxy" else environment.get(name.upper(), "")
        value = environment.get(name, upper).strip()
        if value:
            found[name.removesuffix("_proxy")] = value
    for scheme in ("http", "https"):
        if scheme in found and "://" not in found[scheme]:
            found[scheme] = f"http://{found[scheme]}"
    return found


def _is_exempt(host: str, no_proxy: str) -> bool:
    """Whether a host is reached without a proxy; Mender's lists have spaces, others commas."""
    for each in no_proxy.lower().replace(",", " ").split():
        name = each.removeprefix("*").removeprefix(".")
        if not name or host.lower() == name or host.lower().endswith(f".{name}"):
            return True
    return False
