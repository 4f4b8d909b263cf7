# SPDX-License-Identifier: Apache-2.0
"""What a certificate says of a server, before a device meets it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ota_artifact.errors import ArtifactError

_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a server, or of an authority.

    Attributes:
        end: when it ends to be good.
        is_authority: it signs others, and names no host.
        has_host: it names a host in its subjectAltName, and not merely any.
    """

    end: datetime
    is_authority: bool
    has_host: bool


def parse_certificates(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates in a text.

    Raises:
        ArtifactError: one is damaged, or there is none.
    """
    from cryptography import x509

    blocks = _BLOCK.findall(pem)
    if not blocks:
        raise ArtifactError("has no certificate in PEM")
    try:
        return tuple(_certificate(x509.load_pem_x509_certificate(each)) for each in blocks)
    except ValueError as error:
        raise ArtifactError(f"has a damaged certificate: {error}") from error


def _certificate(found: Any) -> Certificate:
    from cryptography import x509

    values = [each.value for each in found.extensions]
    names = [each for each in values if isinstance(each, x509.SubjectAlternativeName)]
    hosts = {name for each in names for name in each.get_values_for_type(x509.DNSName)}
    numbers = [ip for each in names for ip in each.get_values_for_type(x509.IPAddress)]
    limits = [each for each in values if isinstance(each, x509.BasicConstraints)]
    return Certificate(
        end=end_of(found),
        is_authority=not names and any(each.ca for each in limits),
        has_host=bool(hosts - {"*"} or numbers),
    )


def end_of(certificate: Any) -> datetime:
    """When a certificate of cryptography's ends to be good."""
    if hasattr(certificate, "not_valid_after_utc"):  # since cryptography 42
        end: datetime = certificate.not_valid_after_utc
        return end
    old: datetime = certificate.not_valid_after
    return old.replace(tzinfo=UTC)
