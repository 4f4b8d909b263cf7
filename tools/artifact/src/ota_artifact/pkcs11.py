# SPDX-License-Identifier: Apache-2.0
"""Keys behind PKCS#11, reached through OpenSSL's engine: the key never leaves its token.

Source: RFC 7512 (the URIs), openssl-pkeyutl(1), libp11's engine.
"""

import shlex

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey, SignCommand, parse_public_key
from ota_artifact.run import run

_TIMEOUT = 120.0  # [s] a token may be slow, or ask the user to press a button


def pkcs11_signer(uri: str, check: PublicKey | None = None) -> SignCommand:
    """A command that signs with the private key of the URI.

    Raises:
        ArtifactError: not a PKCS#11 URI.
    """
    argv = ("openssl", "pkeyutl", "-engine", "pkcs11", "-keyform", "engine", "-sign")
    options = ("-inkey", _checked(uri), "-pkeyopt", "digest:sha256")
    return SignCommand(shlex.join((*argv, *options)), check)


def pkcs11_public_key(uri: str) -> PublicKey:
    """The public key of the URI.

    Raises:
        ArtifactError: not a PKCS#11 URI, or not a kind of key that signs artifacts.
        ProgramError: openssl or its engine is missing, or the token does not have the key.
    """
    argv = ("openssl", "pkey", "-engine", "pkcs11", "-inform", "engine", "-pubin", "-pubout")
    return parse_public_key(run((*argv, "-in", _checked(uri)), timeout=_TIMEOUT), uri)


def _checked(uri: str) -> str:
    if not uri.startswith("pkcs11:"):
        raise ArtifactError(
            f"--key-pkcs11: {uri!r} is not a PKCS#11 URI; write 'pkcs11:token=…;object=…'"
        )
    return uri
