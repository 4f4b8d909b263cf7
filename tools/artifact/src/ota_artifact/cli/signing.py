# SPDX-License-Identifier: Apache-2.0
"""The options that name keys, and the keys that they name."""

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
        help="have this program sign: it gets the SHA-256 digest on stdin and as hex in"
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
        help="refuse what --sign-command or --key-pkcs11 gives unless this public key accepts it",
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
        help="a public key that may have signed; repeat it for several",
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
    """What signs; None if nothing was named.

    Raises:
        Failure: more than one was named, or a key service.
        ArtifactError: the key cannot be used.
        OSError: a key file cannot be read.
    """
    _refuse_services(args)
    given = [name for name in ("key", "sign_command", "key_pkcs11") if getattr(args, name)]
    if len(given) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise Failure(f"{options}: one of them signs; leave the others out")
    if args.verify_key and not (args.sign_command or args.key_pkcs11):
        raise Failure("--verify-key: checks what --sign-command or --key-pkcs11 gives; give one")
    if args.key_passphrase_file and not args.key:
        raise Failure("--key-passphrase-file: is for the key of --key; give that too")
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
    """The keys that a signature is checked with, in the order given.

    Raises:
        Failure: a key service was named, or what is not a usable key: the options are at fault,
            whatever code the command has for an artifact that is.
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
                f"--{name}: is not there; sign with the service's own program in --sign-command,"
                " and check with the public key, exported once, in -k"
            )
