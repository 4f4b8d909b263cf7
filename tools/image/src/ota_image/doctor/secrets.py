# SPDX-License-Identifier: Apache-2.0
"""What in a file is one device's own: private keys and identifiers, told by their content."""

import re

_LINE = rb"[A-Za-z0-9+/=]{16,}\s*$"
_PEM = re.compile(
    rb"^-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----\s*\n(?:[A-Za-z-]+: [^\n]*\n|\s*\n)*" + _LINE,
    re.MULTILINE,
)
"""With its first line of base64: programs have the line before it as a text. Source: RFC 7468."""

_DROPBEAR = re.compile(rb"\0\0\0.(ssh-rsa|ssh-dss|ssh-ed25519|ecdsa-sha2-nistp\d+)\0\0", re.DOTALL)
"""The start of a file. Source: dropbear, signkey.c, buf_put_priv_key."""

_WIREGUARD = re.compile(rb"^\s*PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=\s*$", re.MULTILINE)
_PUTTY = b"PuTTY-User-Key-File-"
_MACHINE_ID = re.compile(rb"[0-9a-f]{32}\n?")  # Source: machine-id(5)
_PFX = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"  # Source: RFC 7292, id-data
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04  # Source: X.690, 8.1.2


def private_key_in(data: bytes) -> str:
    """The kind of private key that a file holds; empty if it holds none."""
    if match := _PEM.search(data):
        return f"{match[1].decode()}private key".replace("OPENSSH", "OpenSSH")
    if _DROPBEAR.match(data):
        return "host key of dropbear"
    if _WIREGUARD.search(data):
        return "key of WireGuard"
    if data.startswith(_PUTTY):
        return "key of PuTTY"
    return "private key in DER" if _is_der_key(data) else ""


def is_machine_id(data: bytes) -> bool:
    """Whether a file is a machine-id that a machine has been given."""
    return bool(_MACHINE_ID.fullmatch(data)) and data.strip() != b"0" * 32


def _is_der_key(data: bytes) -> bool:
    """Whether it is PKCS#8, PKCS#1, SEC1 or PKCS#12, and nothing after it.

    Source: RFC 5958, RFC 8017 A.1.2, RFC 5915, RFC 7292.
    """
    outer = _element(data, 0)
    if outer is None or outer[0] != _SEQUENCE or outer[2] != len(data):
        return False
    version = _element(data, outer[1])
    if version is None or version[0] != _INTEGER or version[2] - version[1] != 1:
        return False
    number, second = data[version[1]], _element(data, version[2])
    if second is None or number > 3:
        return False
    kind, begin, end = second
    if kind == _INTEGER:
        return number <= 1 and end - begin >= 64
    if kind == _OCTETS:
        return number == 1 and end - begin >= 20
    third = _element(data, end)
    is_pkcs8 = number <= 1 and third is not None and third[0] == _OCTETS
    return kind == _SEQUENCE and (is_pkcs8 or (number == 3 and _PFX in data[begin:end]))


def _element(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The tag of a DER element, and where its content begins and ends; None if it is cut off."""
    if at + 2 > len(data):
        return None
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= 4:
            return None
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    return (tag, begin, begin + length) if begin + length <= len(data) else None
