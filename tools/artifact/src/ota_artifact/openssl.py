# SPDX-License-Identifier: Apache-2.0
"""How `cryptography` is to start OpenSSL."""

import os


def without_legacy() -> None:
    """Have `cryptography`, when it is imported later, start without OpenSSL's legacy ciphers.

    Nothing here uses them, and where they are not installed, as on a small system or beside the
    native Python of a build, some versions do not start at all. Who has set the variable has the
    last word. Source: cryptography, docs/openssl.rst, "Legacy provider in OpenSSL 3.x".
    """
    os.environ.setdefault("CRYPTOGRAPHY_OPENSSL_NO_LEGACY", "1")
