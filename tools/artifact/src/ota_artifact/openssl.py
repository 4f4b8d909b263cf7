# SPDX-License-Identifier: Apache-2.0
"""How `cryptography` starts OpenSSL."""

import os


def without_legacy() -> None:
    """Make a later import of `cryptography` start OpenSSL without its legacy ciphers.

    Nothing here uses them, and without them installed, as on a small system or with the native
    Python of a build, some versions do not start at all. A value that the user has set stays.
    Source: cryptography, docs/openssl.rst, "Legacy provider in OpenSSL 3.x".
    """
    os.environ.setdefault("CRYPTOGRAPHY_OPENSSL_NO_LEGACY", "1")
