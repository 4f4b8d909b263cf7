# SPDX-License-Identifier: Apache-2.0
"""The options for keys, and the keys that they name."""

import argparse
from pathlib import Path

from ota_artifact.cli.failure import Failure
from ota_artifact.errors import ArtifactError
from ota_artifact.keys import (
    PASSPHRASE_VARIABLE,
    PublicKey,
    SignCommand,
    Signer,
    load_private_key,
    load_public_key,
    read_passphrase,
)
from ota_artifact.pkcs11 import pkcs11_public_key, pkcs11_signer

_SERVICES = ("gcp-kms-key", "vault-transit-key", "keyfactor-signserver-worker", "azure-key")
"""mender-artifact's options for key services."""


def add_signing(parser: argparse.ArgumentParser) -> None:
    """The options of a command that signs."""
    group = parser.add_argument_group("signing")
    group.add_argument(
        "-k",
        "--key",
        metavar="PEM",
        help="sign with this private key: RSA or ECDSA P-256, as PKCS#1, SEC1 or PKCS#8",
    )
    group.add_argument(
        "--key-passphrase-file",
        metavar="FILE",
        help=f"first line is the key's passphrase (default: ${PASSPHRASE_VARIABLE})",
    )
    group.add_argument(
        "--sign-command",
        metavar="COMMAND",
        help="sign with this program: it gets the SHA-256 digest on stdin and as hex in"
        " $OTA_DIGEST, and prints the signature (raw, DER or base64); quoted as in a shell",
    )
    group.add_argument(
        "--key-pkcs11",
        metavar="URI",
        help="sign with a PKCS#11 token through openssl: 'pkcs11:token=…;object=…'",
    )
    group.add_argument(
        "--verify-key",
        metavar="PEM",
        help="fail unless this public key verifies what --sign-command or --key-pkcs11 signed",
    )
    _add_services(group)


def add_verifying(parser: argparse.ArgumentParser) -> None:
    """The options of a command that checks signatures."""
    group = parser.add_argument_group("signature")
    group.add_argument(
        "-k",
        "--key",
        action="append",
        default=[],
        metavar="PEM",
        help="public key to verify the signature with; repeat for several",
    )
    group.add_argument(
        "--key-pkcs11",
        action="append",
        default=[],
        metavar="URI",
        help="the same, from a PKCS#11 token through openssl: 'pkcs11:token=…;object=…'",
    )
    _add_services(group)


def signer_of(args: argparse.Namespace) -> Signer | None:
    """The signer that the options name; None if they name none.

    Raises:
        Failure: they name more than one, or a key service.
        ArtifactError: the key cannot be used.
        OSError: a key file cannot be read.
    """
    _refuse_services(args)
    given = [name for name in ("key", "sign_command", "key_pkcs11") if getattr(args, name)]
    if len(given) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise Failure(f"{options}: only one can sign; leave out the others")
    if args.verify_key and not (args.sign_command or args.key_pkcs11):
        raise Failure("--verify-key: needs --sign-command or --key-pkcs11; give one")
    if args.key_passphrase_file and not args.key:
        raise Failure("--key-passphrase-file: needs --key; give it too")
    check = load_public_key(Path(args.verify_key)) if args.verify_key else None
    if args.sign_command:
        return SignCommand(args.sign_command, check)
    if args.key_pkcs11:
        return pkcs11_signer(args.key_pkcs11, check)
    if not args.key:
        return None
    passphrase = args.key_passphrase_file
    return load_private_key(
        Path(args.key), read_passphrase(Path(passphrase)) if passphrase else None
    )


def public_keys_of(args: argparse.Namespace) -> tuple[PublicKey, ...]:
    """The keys to verify a signature with, in the given order.

    Raises:
        Failure: a key service, or not a usable key: the options are wrong, so the command's code
            for a wrong artifact does not apply.
        OSError: a key file cannot be read.
    """
    _refuse_services(args)
    try:
        return (
            *(load_public_key(Path(each)) for each in args.key),
            *(pkcs11_public_key(each) for each in args.key_pkcs11),
        )
    except ArtifactError as error:
        raise Failure(str(error)) from error


def _add_services(group: argparse._ArgumentGroup) -> None:
    for name in _SERVICES:
        group.add_argument(f"--{name}", help=argparse.SUPPRESS)


def _refuse_services(args: argparse.Namespace) -> None:
    for name in _SERVICES:
        if getattr(args, name.replace("-", "_")):
            raise Failure(
                f"--{name}: is not supported; sign with the service's own program (--sign-command),"
                " and verify with the exported public key (-k)"
            )
