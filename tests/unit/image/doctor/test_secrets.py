# SPDX-License-Identifier: Apache-2.0
"""Private keys of every kind are told by their content, and nothing else is taken for one."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

from ota_image.doctor.secrets import is_machine_id, private_key_in
from tests.house.tree import ROOT

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
EDWARDS = ed25519.Ed25519PrivateKey.generate()
PLAIN = NoEncryption()
SECRET = BestAvailableEncryption(b"secret")


@pytest.mark.parametrize(
    "data",
    [
        *(
            key.private_bytes(Encoding.PEM, form, PLAIN)
            for key in (EC, RSA)
            for form in (
                PrivateFormat.PKCS8,
                PrivateFormat.TraditionalOpenSSL,
                PrivateFormat.OpenSSH,
            )
        ),
        EDWARDS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
        EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, SECRET),
        EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, SECRET),
        *(
            key.private_bytes(Encoding.DER, form, PLAIN)
            for key in (EC, RSA)
            for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
        ),
        EDWARDS.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN),
        pkcs12.serialize_key_and_certificates(b"a", EC, None, None, SECRET),
        b"[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
        b"PuTTY-User-Key-File-3: ssh-ed25519\n",
        b"# comment\r\n" + EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
        EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN).replace(b"\n", b"\r\n"),
    ],
)
def test_a_private_key_is_one_whatever_its_form(data: bytes) -> None:
    assert private_key_in(data)


@pytest.mark.parametrize(
    "start",
    [
        b"\0\0\0\x0bssh-ed25519\0\0\0\x40",
        b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08nistp256\0\0\0\x41",
        b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\1\1",
    ],
)
def test_a_host_key_of_dropbear_is_one(start: bytes) -> None:
    """The starts of files that dropbearkey 2022.83 wrote."""
    assert private_key_in(start + bytes(range(64))) == "host key of dropbear"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"0\x82",
        EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1),
        EDWARDS.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        b"grep -q '-----BEGIN PRIVATE KEY-----' $1\n",
        b"-----BEGIN PRIVATE KEY-----\n",
        Path(private_key_in.__code__.co_filename).read_bytes(),
        (ROOT / "docs" / "howto" / "trust.md").read_bytes(),
    ],
)
def test_what_only_speaks_of_keys_is_none(data: bytes) -> None:
    assert private_key_in(data) == ""


def test_a_machine_id_is_one_once_a_machine_has_it() -> None:
    assert is_machine_id(b"0123456789abcdef0123456789abcdef\n")
    assert is_machine_id(b"0123456789abcdef0123456789abcdef")
    assert not is_machine_id(b"")
    assert not is_machine_id(b"uninitialized\n")
    assert not is_machine_id(b"0" * 32)
