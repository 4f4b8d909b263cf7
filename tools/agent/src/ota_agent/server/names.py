# SPDX-License-Identifier: Apache-2.0
"""Whether a certificate names hosts at all, as RFC 9525 has it; urllib3 then looks for the host.

urllib3 1.26 takes the common name of a certificate without subjectAltName, and every version takes
``DNS:*`` for any host without a dot.
"""

import ssl
from collections.abc import Mapping
from typing import Any

_ANY = "*"


def check_names(host: str, certificate: Mapping[str, Any]) -> None:
    """Pass if the certificate names hosts, and not merely any host.

    Args:
        certificate: as `ssl.SSLSocket.getpeercert` gives it.

    Raises:
        ssl.SSLError: it has its common name alone, or no name but ``*``.
    """
    names = [(kind, name) for kind, name in certificate.get("subjectAltName", ())]
    if not any(kind in ("DNS", "IP Address") and name != _ANY for kind, name in names):
        raise ssl.SSLError(
            f"{host}: its certificate has no subjectAltName with a host's name, and its common name"
            f" proves nothing; make one with subjectAltName=DNS:{host}"
        )
    if ("DNS", _ANY) in names and "." not in host and ("DNS", host) not in names:
        raise ssl.SSLError(
            f"{host}: its certificate names '*', which is any host; make one with"
            f" subjectAltName=DNS:{host}"
        )
