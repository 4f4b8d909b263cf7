# SPDX-License-Identifier: Apache-2.0
"""Keys that sign artifacts and check signatures: RSA (PKCS#1 v1.5) and ECDSA P-256, SHA-256.

A signature is the base64 of the raw bytes: RSA as long as the modulus, ECDSA ``r || s`` of 32 + 32
bytes, big-endian. When reading, a DER ECDSA signature is accepted too: HSMs produce it.
`cryptography` is imported late: a device that checks no signatures does not need it.
"""

import hashlib
import logging
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ota_artifact.errors import ArtifactError
from ota_artifact.openssl import without_legacy
from ota_artifact.run import run

without_legacy()
logger = logging.getLogger(__name__)

PASSPHRASE_VARIABLE = "OTA_KEY_PASSPHRASE"  # noqa: S105 -- its name, not a passphrase
"""Environment variable with the passphrase of an encrypted private key."""

LEAST_RSA = 2048
"""Bits of an RSA key, at least. Source: NIST SP 800-131A, table 2."""

LEAST_EXPONENT = 65537
"""Of an RSA key. Source: NIST FIPS 186-5, A.1.1."""

_BLOCK = re.compile(rb"^-----BEGIN [A-Z0-9 ]*(?:PUBLIC|PRIVATE) KEY-----", re.MULTILINE)
_EC_RAW = 64  # [B] r || s of P-256
_KEY_LIMIT = 1 << 16  # [B] of a PEM file
_SIGNER_TIMEOUT = 120.0  # [s] an HSM or a cloud service may be slow


class Signer(Protocol):
    """Signs."""

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the SHA-256 of ``message``."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures.

    Attributes:
        name: the file it came from, for messages.
        key: cryptography's RSA or P-256 public key.
    """

    name: str
    key: Any

    @property
    def pem(self) -> str:
        """The key as text: PEM ``PUBLIC KEY``."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        form = PublicFormat.SubjectPublicKeyInfo
        data: bytes = self.key.public_bytes(Encoding.PEM, form)
        return data.decode("ascii")

    @property
    def id(self) -> str:
        """A name by the key itself, whatever its file is called: 16 hex digits."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        form = PublicFormat.SubjectPublicKeyInfo
        return hashlib.sha256(self.key.public_bytes(Encoding.DER, form)).hexdigest()[:16]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made ``signature`` (raw, or DER for ECDSA) over ``message``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        for form in (
            (signature,) if isinstance(self.key, rsa.RSAPublicKey) else _der_forms(signature)
        ):
            try:
                if isinstance(self.key, rsa.RSAPublicKey):
                    self.key.verify(form, message, padding.PKCS1v15(), hashes.SHA256())
                else:
                    self.key.verify(form, message, ec.ECDSA(hashes.SHA256()))
            except InvalidSignature:
                continue
            return True
        return False


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs, from a PEM file.

    Attributes:
        name: the file it came from, for messages.
        key: cryptography's RSA or P-256 private key.
    """

    name: str
    key: Any

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(self.name, self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the SHA-256 of ``message``; the same each time if OpenSSL can."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        try:
            algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # RFC 6979
        except (TypeError, UnsupportedAlgorithm):  # cryptography < 43 or OpenSSL < 3.2
            algorithm = ec.ECDSA(hashes.SHA256())
        return _raw(self.key.sign(message, algorithm))


@dataclass(frozen=True, slots=True)
class SignCommand:
    """A program that signs: PKCS#11, a cloud's key service, a signing server.

    It gets the SHA-256 digest of the manifest (32 bytes) on stdin, and the same as hex in
    ``$OTA_DIGEST``, and prints the signature: raw, DER (ECDSA) or base64 of either.

    Attributes:
        command: program and arguments in shell quoting; no shell runs.
        check: the key that must accept the result, if given.
    """

    command: str
    check: PublicKey | None = None

    def sign(self, message: bytes) -> bytes:
        """The raw signature that the program printed.

        Raises:
            ArtifactError: the command's quoting is wrong, what it printed is not a signature, or
                ``check`` does not accept it.
            ProgramError: it failed.
        """
        try:
            argv = shlex.split(self.command)
        except ValueError as error:
            raise ArtifactError(f"--sign-command: {self.command!r}: {error}") from error
        if not argv:
            raise ArtifactError("--sign-command: is empty; name a program that signs")
        digest = hashlib.sha256(message)
        output = run(
            argv,
            timeout=_SIGNER_TIMEOUT,
            stdin=digest.digest(),
            environment={"OTA_DIGEST": digest.hexdigest()},
        )
        signature = _printed(output)
        if self.check and not self.check.verifies(message, signature):
            raise ArtifactError(
                f"--sign-command: {self.check.name} does not accept the signature it gave"
            )
        return signature


def load_public_key(path: Path) -> PublicKey:
    """Read a public key (PEM ``PUBLIC KEY``), or the public half of an unencrypted private one.

    Raises:
        ArtifactError: not such a key.
        OSError: the file cannot be read.
    """
    data = _pem(path)
    if b"PRIVATE KEY" in data:
        return load_private_key(path).public
    return parse_public_key(data, str(path))


def parse_public_key(data: bytes, name: str) -> PublicKey:
    """Read a public key (PEM ``PUBLIC KEY``); messages call it ``name``.

    Raises:
        ArtifactError: not such a key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        finding = _other_kind(data, name, "public") or f"is not a public key in PEM: {error}"
        raise ArtifactError(f"{name}: {finding}") from error
    return PublicKey(name, _supported(key, name))


def load_private_key(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Read a private key: PKCS#1, SEC1 or PKCS#8 in PEM, encrypted or not.

    Args:
        passphrase: of an encrypted key; by default ``$OTA_KEY_PASSPHRASE``.

    Raises:
        ArtifactError: not such a key, or a missing or wrong passphrase.
        OSError: the file cannot be read.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _pem(path)
    if passphrase is None and PASSPHRASE_VARIABLE in os.environ:
        passphrase = os.environ[PASSPHRASE_VARIABLE].encode()
    is_encrypted = b"ENCRYPTED" in data
    if is_encrypted and not passphrase:
        raise ArtifactError(
            f"{path}: is encrypted; give --key-passphrase-file or set ${PASSPHRASE_VARIABLE}"
        )
    try:
        key = load_pem_private_key(data, passphrase if is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "cannot be decrypted; is the passphrase right?" if is_encrypted else str(error)
        finding = _other_kind(data, str(path), "private")
        finding = finding or f"is not a usable private key in PEM: {why}"
        raise ArtifactError(f"{path}: {finding}") from error
    found = PrivateKey(str(path), _supported(key, str(path)))
    require_one(data, str(path))
    require_sound(found.public)
    return found


def require_one(data: bytes, name: str) -> None:
    """Pass unless a file has several keys: only the first would count.

    Raises:
        ArtifactError: it has.
    """
    count = len(_BLOCK.findall(data))
    if count > 1:
        raise ArtifactError(f"{name}: has {count} keys; give each a file of its own")


def require_sound(key: PublicKey) -> None:
    """Pass if a key is as new ones should be; a device keeps what it has.

    Raises:
        ArtifactError: it is an RSA key with a small exponent.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key.key, rsa.RSAPublicKey):
        exponent = key.key.public_numbers().e
        if exponent < LEAST_EXPONENT:
            raise ArtifactError(
                f"{key.name}: is an RSA key with the exponent {exponent}; make one with"
                f" {LEAST_EXPONENT}, or an ECDSA P-256 key"
            )


def read_passphrase(path: Path) -> bytes:
    """The first line of a passphrase file, without its end."""
    return path.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")


def _pem(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_KEY_LIMIT + 1)
    if len(data) > _KEY_LIMIT:
        raise ArtifactError(f"{path}: is larger than {_KEY_LIMIT} B; it is not a key")
    return data


def _other_kind(data: bytes, name: str, wanted: str) -> str:
    """What a file has in place of the wanted key in PEM, and what to do; empty if unknown."""
    if not data.strip():
        return f"is empty; give a {wanted} key in PEM"
    if b"BEGIN CERTIFICATE" in data and wanted == "public":
        key = f"`openssl x509 -in {name} -noout -pubkey`"
        return f"is a certificate, not a public key; give the key in it, which {key} prints"
    if b"PUBLIC KEY-----" in data and wanted == "private":
        return "is a public key, which cannot sign; give the private one"
    if b"OPENSSH PRIVATE KEY" in data and wanted == "private":
        return (
            "is a private key as OpenSSH writes it; give it in PEM: copy it, and convert the copy"
            " with `ssh-keygen -p -m PEM -f COPY`"
        )
    if data.startswith((b"ssh-", b"ecdsa-sha2-")):
        public = "give the public key in PEM, which `ssh-keygen -e -m PKCS8 -f"
        remedy = f"{public} {name}` prints" if wanted == "public" else "give the private one in PEM"
        return f"is a public key as OpenSSH writes it; {remedy}"
    if data.startswith(b"\x30"):
        option = " -pubin" if wanted == "public" else ""
        return (
            f"is in DER, not in PEM; convert it: `openssl pkey{option} -inform DER -in {name} -out"
            " NEW.pem`"
        )
    return ""


def _supported(key: Any, name: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        if key.key_size < LEAST_RSA:
            raise ArtifactError(
                f"{name}: is an RSA key of {key.key_size} bits, which others can break; make one of"
                f" at least {LEAST_RSA} bits, or an ECDSA P-256 key"
            )
        return key
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and isinstance(
        key.curve, ec.SECP256R1
    ):
        return key
    raise ArtifactError(
        f"{name}: artifacts are signed with RSA or ECDSA P-256 keys; this is neither"
    )


def _der_forms(signature: bytes) -> list[bytes]:
    """The DER forms that an ECDSA signature can have: made from raw ``r || s``, or unchanged."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if len(signature) != _EC_RAW:
        return [signature]
    half = _EC_RAW // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    return [encode_dss_signature(r, s), signature]


def _raw(der: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(der)
    return r.to_bytes(_EC_RAW // 2, "big") + s.to_bytes(_EC_RAW // 2, "big")


def _printed(output: bytes) -> bytes:
    """The raw signature in what a signer printed."""
    import base64
    import binascii

    try:
        signature = base64.b64decode(b"".join(output.split()), validate=True)
    except binascii.Error:
        signature = output
    if signature[:1] == b"\x30" and len(signature) <= 72:
        try:
            return _raw(signature)
        except (ValueError, OverflowError):
            pass
    if 128 <= len(signature) < LEAST_RSA // 8:
        raise ArtifactError(
            f"--sign-command: printed a signature of {8 * len(signature)} bits; use an RSA key of"
            f" at least {LEAST_RSA} bits, or an ECDSA P-256 key"
        )
    if len(signature) == _EC_RAW or LEAST_RSA // 8 <= len(signature) <= 2048:
        return signature
    raise ArtifactError(
        f"--sign-command: printed {len(output)} B, which is not a signature;"
        " it must print a raw, DER or base64 signature and nothing else"
    )
