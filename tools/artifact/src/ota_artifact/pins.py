# SPDX-License-Identifier: Apache-2.0
"""Keeps PINs of tokens out of messages and logs."""

import re

_PIN = re.compile(r"(pin-value=)[^;&?']*")  # Source: RFC 7512, PKCS#11 URIs


def masked(text: str) -> str:
    """A text without the PINs in it."""
    return _PIN.sub(r"\1…", text)
