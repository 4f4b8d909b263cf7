# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests: an authority, and those that it signs for servers and devices."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key.

    Attributes:
        path: the certificate in PEM.
        key_path: the key in PEM.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    path: Path
    key_path: Path

    @property
    def der(self) -> bytes:
        """The certificate as it goes over the wire."""
        return self.certificate.public_bytes(Encoding.DER)


def make(
    folder: Path,
    name: str,
    *,
    by: Certificate | None = None,
    is_authority: bool = False,
    valid: tuple[float, float] = (-1, 30),
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
) -> Certificate:
    """Make a certificate in a folder.

    Args:
        by: signs it; by default itself.
        valid: the first and the last day, in days from now.
        hosts: the names and addresses that it is for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0] * _DAY)
        .not_valid_after(now + valid[1] * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName(list(map(_host, hosts)))
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(by.key if by else key, SHA256())
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Certificate(certificate=certificate, key=key, path=path, key_path=key_path)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
