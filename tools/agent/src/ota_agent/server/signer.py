# SPDX-License-Identifier: Apache-2.0
"""A process that works with the device's key, and ends: ``python -m ota_agent.server.signer``.

``make ALGORITHM`` prints a new private key in PEM, ``public`` the public one, ``sign`` the raw
signature of what it reads; ``check`` prints nothing, and fails for a key that others can break.
"""

import argparse
import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ota_agent.small_file import read_small
from ota_artifact.keys import LEAST_RSA
from ota_artifact.openssl import without_legacy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

_LIMIT = 1 << 16  # [B] of a PEM file
_RSA = 3072, 65537  # bits, exponent. Source: Mender's client up to version 4


DAMAGED = 3
"""Exit code: what is in the key's file is not a key, and nothing makes it one again."""


class _Useless(Exception):
    """The key, or its passphrase, is of no use; the text says why."""


class _Damaged(_Useless):
    """The file does not hold a key, as after a power cut or a bad block."""


def main() -> int:
    """Do what the command line says; gives the exit code."""
    without_legacy()
    parser = argparse.ArgumentParser(prog="ota_agent.server.signer")
    parser.add_argument("action", choices=("make", "public", "sign", "check"))
    parser.add_argument("algorithm", nargs="?", choices=("ed25519", "ecdsa", "rsa"))
    parser.add_argument("--key", type=Path)
    parser.add_argument("--passphrase-file", type=Path)
    args = parser.parse_args()
    code = 2
    try:
        passphrase = _first_line(args.passphrase_file)
        if args.action == "make":
            output = _made(args.algorithm, passphrase)
        elif args.action == "check":
            output = _checked(_load(args.key, passphrase), args.key)
        elif args.action == "public":
            output = _public(_load(args.key, passphrase))
        else:
            output = signature(_load(args.key, passphrase), sys.stdin.buffer.read())
    except ImportError as error:
        why = f"it needs the Python package cryptography ({error}); install it"
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
    except _Useless as error:
        why, code = str(error), DAMAGED if isinstance(error, _Damaged) else code
    else:
        sys.stdout.buffer.write(output)
        return 0
    print(why, file=sys.stderr)
    return code


def signature(key: Any, message: bytes) -> bytes:
    """The signature by a private key of `cryptography`, as `DeviceKey.sign` says."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(hashes.SHA256()))
        case _:
            raise _Useless("is neither Ed25519 nor ECDSA nor RSA; remove it, and one is made")


def _made(algorithm: str, passphrase: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm == "rsa":
        key = rsa.generate_private_key(key_size=_RSA[0], public_exponent=_RSA[1])
    elif algorithm == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    encryption: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _load(path: Path, passphrase: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = read_small(path, _LIMIT)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EIO, errno.EISDIR, errno.EUCLEAN, errno.EBADMSG):
            raise
        raise _Damaged(f"{path}: {error.strerror}") from error
    is_encrypted = b"ENCRYPTED" in data
    if is_encrypted and not passphrase and b"-----END" in data:
        raise _Useless(f"{path}: is encrypted; set passphrase_file")
    try:
        return load_pem_private_key(data, passphrase or b"?" if is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        is_whole = is_encrypted and b"-----END" in data
        finding = "the passphrase does not fit" if is_whole else str(error)
        is_damaged = isinstance(error, ValueError) and not is_whole
        raise (_Damaged if is_damaged else _Useless)(
            f"{path}: is not a usable private key in PEM: {finding}; put the right one there, or"
            " remove it: a new one is made, which the server has to accept"
        ) from error


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def _checked(key: Any, path: Path) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA:
        raise _Damaged(
            f"{path}: is an RSA key of {key.key_size} bits, which others can break; at least"
            f" {LEAST_RSA} are needed"
        )
    return b""


def _first_line(path: Path | None) -> bytes:
    return read_small(path, _LIMIT).split(b"\n", 1)[0].removesuffix(b"\r") if path else b""


if __name__ == "__main__":
    sys.exit(main())
