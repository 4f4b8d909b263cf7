# SPDX-License-Identifier: Apache-2.0
"""Keys for the golden artifacts: computed from fixed numbers, so that no secret is committed.

They protect nothing: the numbers are here for all to see. They always give the same signatures.
"""

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ota_artifact.keys import PublicKey


class SigningKey(Protocol):
    """Signs in the form that an artifact has."""

    def sign(self, message: bytes) -> bytes: ...

    @property
    def public(self) -> PublicKey: ...


@dataclass(frozen=True, slots=True)
class EcKey:
    """ECDSA on P-256, with the nonce of RFC 6979.

    Attributes:
        secret: the private number.
        der: signs in DER, as an HSM does.
    """

    secret: int
    der: bool = False

    @property
    def private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def public(self) -> PublicKey:
        return PublicKey(f"ec-{self.secret}", self.private.public_key())

    def sign(self, message: bytes) -> bytes:
        how = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        signature = self.private.sign(message, how)
        if self.der:
            return signature
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class RsaKey:
    """RSA of 2048 bits with PKCS#1 v1.5, from two primes."""

    p: int
    q: int

    @property
    def private(self) -> rsa.RSAPrivateKey:
        public = rsa.RSAPublicNumbers(65537, self.p * self.q)
        d = pow(65537, -1, (self.p - 1) * (self.q - 1))
        return rsa.RSAPrivateNumbers(
            self.p,
            self.q,
            d,
            d % (self.p - 1),
            d % (self.q - 1),
            pow(self.q, -1, self.p),
            public,
        ).private_key()

    @property
    def public(self) -> PublicKey:
        return PublicKey("rsa", self.private.public_key())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


EC_KEY = EcKey(20_261_123)
HSM_KEY = EcKey(20_261_123, der=True)
OTHER_KEY = EcKey(19_700_101)
RSA_KEY = RsaKey((3 << 1022) + 1037, (7 << 1021) + 309)
