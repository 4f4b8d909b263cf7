# SPDX-License-Identifier: Apache-2.0
"""What in a file is one device's own: private keys and identifiers, told by their content."""

import re
from collections.abc import Mapping

_END = rb"(?:\\r)?(?:\\n|\r?\n)[ \t]*"
"""Of a line: also as JSON writes it, and with the indentation of the next one."""

_PEM = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{0,40})PRIVATE KEY(?: BLOCK)?-----[ \t]*%(end)b"
    rb"(?:[A-Za-z-]{1,40}: [^\n\\]{0,200}%(end)b|%(end)b){0,20}"
    rb"[A-Za-z0-9+/=]{16,}[ \t]*(?:\\|\r?\n)" % {b"end": _END}
)
"""With its first line of base64: programs have the line before it as a text. Source: RFC 7468,
RFC 9580, 6.2."""

_OTHERS = {
    "key of WireGuard": rb"^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=[ \t\r]*$",
    "key of PuTTY": rb"\APuTTY-User-Key-File-",
    "private key of SSH2": rb"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\r?\n"
    rb"(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n){0,20}[\w+/]{16}",
    "key of OpenVPN": rb"-----BEGIN OpenVPN Static key V1-----\r?\n[0-9a-f]{32}\b",
    "key of age": rb"\bAGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{40}",
    "key of Tailscale": rb"\bprivkey:[0-9a-f]{64}\b",
    "private JSON Web Key": rb'"kty"\s?:(?=[^{}]{0,999}"d"\s?:\s?"[\w-]{40})'
    rb'|"d"\s?:\s?"[\w-]{40}(?=[^{}]{0,999}"kty")',
}
"""Their patterns. None takes long, whatever a file holds: it may be anybody's. Source: each
program's own documentation; RFC 7518, 6.2.2."""

_SECRETS = {
    "password of Wi-Fi": rb'^[ \t]*(?:psk|Passphrase|PreSharedKey)[ \t]*=[ \t]*"?[^\s"]{8}',
    "password of a .netrc": rb"^[ \t]*(?:machine[ \t]+\S+|default)\s+login\s+\S+\s+password\s+\S",
    "key of AWS": rb"^[ \t]*(?i:aws_secret_access_key)[ \t]*=[ \t]*\S{40}",
    "token of GitHub": rb"\b(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_\w{50})",
    "password in an address": rb"^[^#\n]{0,200}?\b[a-z][a-z0-9+.-]{1,20}://"
    rb"[^\s/:@#]{1,200}:[^\s/:@#]{1,200}@\w",
}
"""Source: wpa_supplicant.conf(5), nm-settings-keyfile(5), iwd.network(5), netrc(5), RFC 3986."""

_DROPBEAR = re.compile(rb"\0\0\0.(ssh-rsa|ssh-dss|ssh-ed25519|ecdsa-sha2-nistp\d+)\0\0", re.DOTALL)
"""The start of a file. Source: dropbear, signkey.c, buf_put_priv_key."""

_MACHINE_ID = re.compile(
    rb"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n?", re.IGNORECASE
)
"""Source: machine-id(5); systemd reads a UUID, and capital letters, too."""

_TEXT = b"PRIVATE KEY"
_BEGIN, _HEAD = 64, 1024  # [B] before the text, and from there to the end of the first line
_PFX = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"  # Source: RFC 7292, id-data
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04  # Source: X.690, 8.1.2


def private_key_in(data: bytes) -> str:
    """The kind of private key that a file holds; empty if it holds none."""
    if match := _PEM.search(data):
        return f"{match[1].decode()}private key".replace("OPENSSH", "OpenSSH")
    if _DROPBEAR.match(data):
        return "host key of dropbear"
    return _kind(_OTHERS, data) or ("private key in DER" if _is_der_key(data) else "")


def secret_in(data: bytes) -> str:
    """The kind of password or token for a service that a file holds; empty if it holds none."""
    return _kind(_SECRETS, data)


def may_hold_key(data: bytes) -> bool:
    """Whether the text of a private key is somewhere in a piece of an image, in whatever file."""
    at = data.find(_TEXT)
    while at >= 0:
        if _PEM.search(data, max(0, at - _BEGIN), at + _HEAD):
            return True
        at = data.find(_TEXT, at + 1)
    return False


def is_machine_id(data: bytes) -> bool:
    """Whether a file is a machine-id that a machine has been given."""
    return bool(_MACHINE_ID.fullmatch(data)) and data.strip() != b"0" * 32


def _kind(patterns: Mapping[str, bytes], data: bytes) -> str:
    found = (kind for kind, each in patterns.items() if re.search(each, data, re.MULTILINE))
    return next(found, "")


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
