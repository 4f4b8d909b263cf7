# SPDX-License-Identifier: Apache-2.0
"""Keys behind PKCS#11, reached through OpenSSL's engine: the key never leaves its token.

Everyone on a machine can see the arguments of its programs, so openssl gets the PIN in a file. That
has no name: whatever ends this process, it leaves no PIN behind.

Source: RFC 7512 (the URIs), openssl-pkeyutl(1), libp11's engine.
"""

import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey, SignCommand, parse_public_key
from ota_artifact.quoting import masked
from ota_artifact.run import run

logger = logging.getLogger(__name__)

PIN_VARIABLE = "OTA_PKCS11_PIN"
"""Environment variable with the PIN of the token, for a URI that has none."""

_TIMEOUT = 120.0  # [s] a token may be slow, or ask the user to press a button
_PIN = re.compile(r"[;?&]?\bpin-value=([^;?&]*)")
_SOURCE = "pin-source="


@dataclass(frozen=True, slots=True)
class Pkcs11Signer:
    """Signs with the private key of a PKCS#11 URI.

    Attributes:
        check: the key that must accept the result, if given.
    """

    uri: str
    check: PublicKey | None = None

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the SHA-256 of ``message``.

        Raises:
            ArtifactError: not a PKCS#11 URI, or ``check`` does not accept the signature.
            ProgramError: openssl or its engine is missing, or the token does not have the key.
        """
        argv = ("openssl", "pkeyutl", "-engine", "pkcs11", "-keyform", "engine", "-sign")
        with _without_pin(self.uri) as uri:
            options = ("-inkey", uri, "-pkeyopt", "digest:sha256")
            return SignCommand(shlex.join((*argv, *options)), self.check).sign(message)


def pkcs11_signer(uri: str, check: PublicKey | None = None) -> Pkcs11Signer:
    """What signs with the private key of the URI.

    Raises:
        ArtifactError: not a PKCS#11 URI.
    """
    return Pkcs11Signer(_checked(uri), check)


def pkcs11_public_key(uri: str) -> PublicKey:
    """The public key of the URI.

    Raises:
        ArtifactError: not a PKCS#11 URI, or not a kind of key that signs artifacts.
        ProgramError: openssl or its engine is missing, or the token does not have the key.
    """
    argv = ("openssl", "pkey", "-engine", "pkcs11", "-inform", "engine", "-pubin", "-pubout")
    with _without_pin(_checked(uri)) as plain:
        return parse_public_key(run((*argv, "-in", plain), timeout=_TIMEOUT), masked(uri))


@contextmanager
def _without_pin(uri: str) -> Iterator[str]:
    """A URI that names a private file with the PIN in place of the PIN."""
    given = _PIN.search(uri)
    if given:
        logger.warning(
            "--key-pkcs11: everyone on this machine can see the PIN among the arguments; set $%s,"
            " or write pin-source=FILE in its place",
            PIN_VARIABLE,
        )
        pin = unquote_to_bytes(given[1])
    elif _SOURCE not in uri and PIN_VARIABLE in os.environ:
        pin = os.environb[PIN_VARIABLE.encode()]
    else:
        yield uri
        return
    with os.fdopen(os.memfd_create("ota-pin"), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(pin)
        file.flush()
        rest = _PIN.sub("", uri).replace("pkcs11:;", "pkcs11:")
        place = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        yield f"{rest}{'' if rest.endswith(':') else ';'}{_SOURCE}{place}"


def _checked(uri: str) -> str:
    if not uri.startswith("pkcs11:"):
        raise ArtifactError(
            f"--key-pkcs11: {uri!r} is not a PKCS#11 URI; write 'pkcs11:token=…;object=…'"
        )
    return uri
