# SPDX-License-Identifier: Apache-2.0
"""Pins: the SHA-256 of the public key that a server's certificate has to hold.

A key outlives the certificates that are made for it, so a pin does, too. Source: RFC 7469, 2.4; the
digest is over the certificate's SubjectPublicKeyInfo (RFC 5280, 4.1), header and all.
"""

import base64
import binascii
import hashlib

from ota_agent.errors import AgentError

_DIGEST = 32  # [B] SHA-256
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0  # Source: X.690, 8.1.2; RFC 5280, 4.1
_BEFORE_KEY = (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
"""Serial number, signature's algorithm, issuer, validity, subject."""


def parse_pin(text: str) -> bytes:
    """The digest [32 B] that a pin stands for.

    Args:
        text: hex, with or without colons; or base64, with or without curl's ``sha256//`` before it.

    Raises:
        AgentError: it is neither.
    """
    found = b""
    plain = text.strip().replace(":", "")
    try:
        found = bytes.fromhex(plain)
    except ValueError:
        try:
            found = base64.b64decode(plain.removeprefix("sha256//"), validate=True)
        except binascii.Error:
            found = b""
    if len(found) != _DIGEST:
        raise AgentError(
            f"pins: {text!r} is not a SHA-256 in hex or base64; docs/howto/trust.md says how to"
            " make one from a certificate"
        )
    return found


def pin_of(certificate: bytes) -> bytes:
    """The digest [32 B] of the public key in a certificate in DER.

    Raises:
        ValueError: it is not a certificate.
    """
    outer, _ = _content(certificate, 0, _SEQUENCE)
    position, _ = _content(certificate, outer, _SEQUENCE)
    if certificate[position : position + 1] == bytes((_VERSION,)):
        position = _content(certificate, position, _VERSION)[1]
    for tag in _BEFORE_KEY:
        position = _content(certificate, position, tag)[1]
    end = _content(certificate, position, _SEQUENCE)[1]
    return hashlib.sha256(certificate[position:end]).digest()


def _content(data: bytes, position: int, tag: int) -> tuple[int, int]:
    """Where the content of the DER value at a position begins and ends."""
    if data[position : position + 1] != bytes((tag,)) or position + 2 > len(data):
        raise ValueError(f"no tag {tag:#x} at byte {position} of the certificate")
    length, begin = data[position + 1], position + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[position + 2 : begin], "big")
    if begin + length > len(data):
        raise ValueError(f"the certificate ends before byte {begin + length}")
    return begin, begin + length
