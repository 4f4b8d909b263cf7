# SPDX-License-Identifier: Apache-2.0
"""Private keys of every kind are told by their content, and nothing else is taken for one."""

import time
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

from ota_artifact.image.small_files import SmallFile
from ota_image.doctor.login import gives_shell
from ota_image.doctor.secrets import is_machine_id, private_key_in, secret_in
from tests.house.tree import ROOT

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
EDWARDS = ed25519.Ed25519PrivateKey.generate()
PLAIN = NoEncryption()
PEM = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN)
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
        PEM.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PEM,
        b"write_files:\n- content: |\n" + b"".join(b"    %s\n" % each for each in PEM.split(b"\n")),
        b'{"type": "service_account", "private_key": "%s"}' % PEM.replace(b"\n", b"\\n"),
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 2\n\nlFgEZ0AAABYJKwYBBAHaRw8BAQdA\n",
        b"#\n# 2048 bit OpenVPN static key\n#\n-----BEGIN OpenVPN Static key V1-----\n"
        + b"0f" * 16,
        b"# public key: age1ql3z7hjy54pw3hyww5ay\nAGE-SECRET-KEY-1"
        + b"QPZRY9X8GF2TVDW0S3JN54KHCE6M" * 2,
        b'{"PrivateNodeKey":"privkey:' + b"0f" * 32 + b'"}',
        b'{"kty": "EC", "crv": "P-256", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}',
        b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: a\nP2/56wAAA+kAAAA3aWYtbW9k\n",
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
        b'KEYS = "-----BEGIN PRIVATE KEY-----\\n", "-----END PRIVATE KEY-----"\n',
        b'{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}',
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ0AAABYJKwYBBAHaRw8BAQdA\n",
    ],
)
def test_what_only_speaks_of_keys_is_none(data: bytes) -> None:
    assert private_key_in(data) == ""


def test_a_machine_id_is_one_once_a_machine_has_it() -> None:
    assert is_machine_id(b"0123456789abcdef0123456789abcdef\n")
    assert is_machine_id(b"0123456789abcdef0123456789abcdef")
    assert is_machine_id(b"0123456789ABCDEF0123456789ABCDEF\n")
    assert is_machine_id(b"01234567-89ab-cdef-0123-456789abcdef\n")
    assert not is_machine_id(b"")
    assert not is_machine_id(b"uninitialized\n")
    assert not is_machine_id(b"0" * 32)


@pytest.mark.parametrize(
    "data",
    [
        b"machine example.com\n  login a\n  password hunter22\n",
        b"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = "
        + b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
        b'network={\n  ssid="home"\n  psk="hunter2222"\n}\n',
        b"[wifi-security]\nkey-mgmt=wpa-psk\npsk=hunter2222\n",
        b"[Security]\nPassphrase=hunter2222\n",
        b"https://user:hunter2@example.com\n",
        b"github: ghp_" + b"a1" * 18 + b"\n",
    ],
)
def test_a_password_for_a_service_is_one(data: bytes) -> None:
    assert secret_in(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'network={\n#  psk="hunter2222"\n}\n',
        b"# machine example.com login a password b\n",
        b"proxy = http://user:@example.com\n",
        b"#https://user:password@example.com\n",
        b"psk=\n",
    ],
)
def test_what_has_no_password_is_none(data: bytes) -> None:
    assert secret_in(data) == ""


@pytest.mark.parametrize("piece", [b"\n", b" ", b"getty -l ", b"-----BEGIN PRIVATE KEY-----\nA: "])
def test_no_file_takes_long_to_judge(piece: bytes) -> None:
    """It may be anybody's; patterns that try everything would take minutes for these."""
    data, begin = piece * (20_000 // len(piece)), time.process_time()

    assert not private_key_in(data)
    assert not secret_in(data)
    assert not gives_shell(SmallFile("/etc/inittab", data))
    assert time.process_time() - begin < 1
