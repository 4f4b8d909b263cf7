# SPDX-License-Identifier: Apache-2.0
"""Hazards of whom the device trusts: the clock, the server's TLS, the keys of artifacts."""

import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ota_agent.address import Address
from ota_agent.admission.keys import TrustedKey, VerifyOptions, parse_key, read_key
from ota_agent.config.settings import Settings
from ota_agent.device.clock import floor
from ota_agent.doctor.case import Case
from ota_agent.errors import AgentError
from ota_agent.memory.trusted_time import time_in
from ota_agent.server.options import ServerOptions, TlsOptions
from ota_agent.server.pin import parse_pin
from ota_agent.small_file import read_small
from ota_artifact.certificate import end_of
from ota_artifact.errors import ArtifactError
from ota_artifact.finding import Finding, fault, warning

_SOON = timedelta(days=30)
_LIMIT = 1 << 20  # [B] of a PEM file
_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_FILES = ("server_certificate", "ca_bundle", "client_certificate", "client_key")
_OTHERS_READ = 0o044


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with it."""
    settings, now = case.settings, case.system.now()
    yield from clock(now, floor(), is_set=settings.tls.set_clock)
    least = time_in(case.memory.time) if case.memory else 0.0
    yield from configured(settings, now, least=least)
    for path in (settings.key.path, Path(settings.tls.client_key)):
        yield from _private(path)


def configured(settings: Settings, now: float, *, least: float = 0.0) -> Iterator[Finding]:
    """What is wrong with what the configuration names, at a time [s since 1970].

    Args:
        least: the time that it is at least for keys, whatever the clock says [s since 1970].
    """
    yield from addresses(settings.server, settings.tls)
    yield from _tls(settings.tls, datetime.fromtimestamp(now, UTC))
    yield from _keys(settings.keys, max(now, least))


def clock(now: float, least: float, *, is_set: bool) -> Iterator[Finding]:
    """Whether the clock can be right.

    Args:
        now: what it says [s since 1970].
        least: when the agent was built [s since 1970].
        is_set: whether the agent sets it forward when it starts.
    """
    if now >= least:
        return
    said, built = (time.strftime("%Y-%m-%d", time.gmtime(each)) for each in (now, least))
    cause = f"it says {said}, and the agent was built on {built}: no certificate is valid yet"
    if is_set:
        yield warning("clock-in-the-past", "clock", cause, "restart the agent, which sets it")
    else:
        yield fault("clock-in-the-past", "clock", cause, "set it, or tls.set_clock = true")


def addresses(server: ServerOptions, tls: TlsOptions) -> Iterator[Finding]:
    """Whether the server's addresses can be ones."""
    if not server.urls:
        yield warning(
            "no-server",
            "[server] urls",
            "this device has no server: updates can only be installed by hand",
            "if you have a server, run `ota-agent setup`",
        )
    for url in map(Address, server.urls):
        if not url.is_web:
            yield fault(
                "server-url-wrong",
                f"[server] urls: {url}",
                "is not the address of a server",
                "write it as https://updates.example.com",
            )
        elif url.scheme == "http" and not tls.allow_plain_http:
            yield fault(
                "plain-http",
                f"[server] urls: {url}",
                "it is plain HTTP, which the agent refuses: anyone on the network path could read"
                " and change it",
                "use https; on a bench, tls.allow_plain_http = true",
            )
    if tls.allow_plain_http:
        yield warning(
            "plain-http",
            "[tls] allow_plain_http",
            "anyone on the network path could read and change what a server without TLS says",
            "remove the line before the device leaves the bench",
        )
    if tls.skip_verify:
        yield warning(
            "any-server-believed",
            "[tls] skip_verify",
            "any machine on the network can be the server",
            "remove the line before the device leaves the bench; server_certificate or pins make"
            " a server of your own trusted",
        )


def validity(place: object, end: datetime, now: datetime) -> Iterator[Finding]:
    """Whether a certificate is good, and for how long still."""
    day = end.strftime("%Y-%m-%d")
    if end <= now:
        yield fault(
            "certificate-expired",
            place,
            f"expired on {day}: connections are refused",
            "replace it; if you pin only the server's key, dates do not matter",
        )
    elif end - now < _SOON:
        yield warning(
            "certificate-expires",
            place,
            f"expires on {day}, in {(end - now).days} days",
            "bring its successor onto the device before, in the same file",
        )


def _tls(tls: TlsOptions, now: datetime) -> Iterator[Finding]:
    for name in _FILES:
        path = getattr(tls, name)
        if not path:
            continue
        try:
            pem = read_small(Path(path), _LIMIT)
        except OSError as error:
            yield fault(
                "tls-file-unreadable",
                f"[tls] {name}: {path}",
                f"{error.strerror}: no connection can be made",
                "put the file there, or take the key out",
            )
            continue
        if name != "client_key":
            is_own = name == "client_certificate"
            yield from _certificates(f"[tls] {name}: {path}", pem, now, is_own=is_own)
    for pin in tls.pins:
        try:
            parse_pin(pin)
        except AgentError as error:
            yield fault(
                "pin-wrong",
                f"[tls] pins: {pin}",
                error,
                "compute it again (docs/howto/trust.md)",
            )


def _certificates(place: str, pem: bytes, now: datetime, *, is_own: bool) -> Iterator[Finding]:
    """What is wrong with those in a file: our own is the first; of others, one may be good."""
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        yield fault("tls-file-unreadable", place, "it has no certificate in PEM", "put one there")
        return
    try:
        ends = [_end(block) for block in blocks]
    except ImportError:
        yield warning(
            "python-package-missing", "cryptography", "certificates cannot be read", _CRYPTOGRAPHY
        )
        return
    except ValueError as error:
        yield fault(
            "tls-file-unreadable",
            place,
            f"a certificate in it is damaged ({error})",
            "replace it",
        )
        return
    yield from validity(place, ends[0] if is_own else max(ends), now)


_CRYPTOGRAPHY = "install it (python3-cryptography)"


def _end(block: bytes) -> datetime:
    """When a certificate in PEM ends to be good.

    Raises:
        ImportError: there is no cryptography.
        ValueError: it is damaged.
    """
    from cryptography.x509 import load_pem_x509_certificate

    return end_of(load_pem_x509_certificate(block))


def _keys(options: VerifyOptions, now: float) -> Iterator[Finding]:
    if not options.keys:
        yield warning(
            "no-verification-keys",
            "[keys] keys",
            "installs artifacts from anyone",
            "`ota-agent setup --key FILE`, and sign artifacts with `ota-artifact write --key`",
        )
        return
    bad = []
    for text in options.keys:
        try:
            trusted = parse_key(text)
        except AgentError as error:
            bad.append(fault("key-unreadable", "[keys] keys", error, "correct the day"))
            continue
        bad += _key(trusted, max(now, floor()))
    unusable = [each for each in bad if each.severity == "error"]
    if len(unusable) == len(options.keys):
        yield from bad
        yield fault(
            "no-key-is-good",
            "[keys] keys",
            "none of the keys is usable, so no artifact can be verified: all are refused",
            "install a new key by hand; an update cannot deliver it",
        )
        return
    for each in bad:  # there is another one
        yield warning(each.hazard, each.place, each.cause, each.remedy)


def _key(key: TrustedKey, now: float) -> Iterator[Finding]:
    place = f"[keys] {key.path}"
    if not key.is_good(now):
        yield fault(
            "key-expired",
            place,
            f"its last day was {key.expires}: what it has signed is refused",
            "install its replacement, and remove this one",
        )
        return
    if key.expires and not key.is_good(now + _SOON.total_seconds()):
        yield warning(
            "key-expires",
            place,
            f"its last day is {key.expires}",
            "bring its successor onto the device before, in an update that this one has signed",
        )
    try:
        read_key(key.path)
    except ImportError:
        yield fault(
            "python-package-missing",
            "cryptography",
            "no signature can be checked",
            _CRYPTOGRAPHY,
        )
    except (ArtifactError, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        yield fault("key-unreadable", place, f"{cause}", "put a public key in PEM there")


def _private(path: Path) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.name else 0
    except OSError:
        return
    if mode & _OTHERS_READ:
        yield fault(
            "private-key-open",
            path,
            f"its mode is {mode:o}: any local user can impersonate this device",
            f"chmod 600 {path}; if others may have read it, remove it: a new one is made, which"
            " the server has to accept",
        )
