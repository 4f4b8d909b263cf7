# SPDX-License-Identifier: Apache-2.0
"""Keys from PEM files, and signatures in every form that is accepted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import (
    PASSPHRASE_VARIABLE,
    PrivateKey,
    load_private_key,
    load_public_key,
    read_passphrase,
)
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.golden.keys import EC_KEY, OTHER_KEY, RSA_KEY

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
OPEN = serialization.NoEncryption()
SECRET = serialization.BestAvailableEncryption(b"secret")
MESSAGE = b"the manifest"
HALF_ORDER = 1 << 255

Pem = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)


@pytest.fixture
def pem(tmp_path: Path) -> Pem:
    """Put a private key into a file."""

    def write(
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
        form: serialization.PrivateFormat = PKCS8,
        secrecy: serialization.KeySerializationEncryption = OPEN,
    ) -> Path:
        path = tmp_path / "key.pem"
        path.write_bytes(key.private_bytes(PEM, form, secrecy))
        return path

    return write


def public_pem(key: PrivateKey) -> bytes:
    text: bytes = key.public.key.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return text


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
@pytest.mark.parametrize("secrecy", [OPEN, SECRET])
@pytest.mark.parametrize("made", [EC_KEY.private, RSA_KEY.private], ids=["ec", "rsa"])
def test_key_of_any_container_signs_and_its_public_half_checks(
    pem: Pem,
    tmp_path: Path,
    made: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    form: serialization.PrivateFormat,
    secrecy: serialization.KeySerializationEncryption,
) -> None:
    key = load_private_key(pem(made, form, secrecy), b"secret" if secrecy is SECRET else None)

    signature = key.sign(MESSAGE)

    (tmp_path / "public.pem").write_bytes(public_pem(key))
    public = load_public_key(tmp_path / "public.pem")
    assert public.verifies(MESSAGE, signature)
    assert not public.verifies(MESSAGE + b"\n", signature)
    assert len(signature) == (64 if isinstance(made, ec.EllipticCurvePrivateKey) else 256)


def test_public_half_of_a_private_key_checks_too(pem: Pem) -> None:
    path = pem(EC_KEY.private)

    assert load_public_key(path).verifies(MESSAGE, EC_KEY.sign(MESSAGE))


def test_same_message_has_the_same_signature(pem: Pem) -> None:
    key = load_private_key(pem(EC_KEY.private))

    assert key.sign(MESSAGE) == key.sign(MESSAGE) == EC_KEY.sign(MESSAGE)


@requires_program("openssl", package="openssl")
def test_key_with_its_parameters_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    run(("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-out", path), timeout=20)

    key = load_private_key(path)

    assert b"BEGIN EC PARAMETERS" in path.read_bytes()
    assert key.public.verifies(MESSAGE, key.sign(MESSAGE))


@requires_program("openssl", package="openssl")
def test_openssl_accepts_what_we_sign(pem: Pem, tmp_path: Path) -> None:
    for made in (EC_KEY.private, RSA_KEY.private):
        key = load_private_key(pem(made))
        signature = key.sign(MESSAGE)
        if len(signature) == 64:
            r, s = signature[:32], signature[32:]
            signature = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "public.pem").write_bytes(public_pem(key))
        verify = ("-verify", tmp_path / "public.pem", "-signature", tmp_path / "signature")

        said = run(("openssl", "dgst", "-sha256", *verify), timeout=20, stdin=MESSAGE)

        assert said == b"Verified OK\n"


def test_passphrase_comes_from_the_environment(pem: Pem, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pem(EC_KEY.private, PKCS8, SECRET)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "secret")

    assert load_private_key(path).sign(MESSAGE) == EC_KEY.sign(MESSAGE)


def test_passphrase_for_a_key_that_needs_none_does_no_harm(pem: Pem) -> None:
    assert load_private_key(pem(EC_KEY.private), b"secret")


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
def test_missing_or_wrong_passphrase_is_refused(
    pem: Pem, form: serialization.PrivateFormat
) -> None:
    path = pem(EC_KEY.private, form, SECRET)

    with pytest.raises(ArtifactError, match="is encrypted; give --key-passphrase-file or set"):
        load_private_key(path)
    with pytest.raises(ArtifactError, match="is encrypted; give"):
        load_private_key(path, b"")
    with pytest.raises(ArtifactError, match="cannot be decrypted; is the passphrase right"):
        load_private_key(path, b"wrong")


@pytest.mark.parametrize(
    ("raw", "passphrase"),
    [(b"secret", b"secret"), (b"secret\n", b"secret"), (b"secret\r\nmore", b"secret"), (b"", b"")],
)
def test_passphrase_is_the_first_line_of_its_file(
    tmp_path: Path, raw: bytes, passphrase: bytes
) -> None:
    (tmp_path / "passphrase").write_bytes(raw)

    assert read_passphrase(tmp_path / "passphrase") == passphrase


@pytest.mark.parametrize(
    "made",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["P-384", "secp256k1", "ed25519"],
)
def test_key_of_another_kind_is_refused(
    pem: Pem, tmp_path: Path, made: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) -> None:
    path = pem(made)
    public = made.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)

    for load, file in (
        (load_private_key, path),
        (load_public_key, path),
        (load_public_key, tmp_path / "public.pem"),
    ):
        with pytest.raises(ArtifactError, match="are signed with RSA or ECDSA P-256 keys"):
            load(file)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no key",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"\xff" * 100,
    ],
    ids=range(8),
)
def test_what_is_not_a_key_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(text)

    with pytest.raises(ArtifactError, match=r"key\.pem: is "):
        load_public_key(path)
    with pytest.raises(ArtifactError, match=r"key\.pem: is "):
        load_private_key(path, b"secret" if b"ENCRYPTED" in text else None)


def test_file_that_is_too_large_for_a_key_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(bytes((1 << 16) + 1))

    with pytest.raises(ArtifactError, match="is larger than 65536 B; it is not a key"):
        load_public_key(path)


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_public_key(tmp_path / "none.pem")


def signature_whose(wanted: Callable[[int, int], bool]) -> tuple[bytes, int, int]:
    """A message and its signature's numbers, of a form that is rare."""
    for number in range(100_000):
        message = b"%d" % number
        raw = EC_KEY.sign(message)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        if wanted(r, s):
            return message, r, s
    raise AssertionError("no such signature")


@pytest.mark.parametrize(
    ("wanted", "length"),
    [
        (lambda r, s: r >= HALF_ORDER and s >= HALF_ORDER, 72),
        (lambda r, s: r < HALF_ORDER and s < HALF_ORDER, 70),
        (lambda r, s: r < 1 << 247 and s < HALF_ORDER, 69),
    ],
    ids=["72 B", "70 B", "69 B"],
)
def test_der_of_any_length_is_accepted(wanted: Callable[[int, int], bool], length: int) -> None:
    message, r, s = signature_whose(wanted)

    der = encode_dss_signature(r, s)

    assert len(der) == length
    assert EC_KEY.public.verifies(message, der)
    assert EC_KEY.public.verifies(message, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert not OTHER_KEY.public.verifies(message, der)


def raw_forms() -> list[bytes]:
    raw = EC_KEY.sign(MESSAGE)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    der = encode_dss_signature(r, s)
    return [
        b"",
        b"\0",
        raw[:-1],
        raw[:32] + b"\0" + raw[32:],
        raw + b"\0",
        b"\0" + raw,
        raw + raw,
        raw[32:] + raw[:32],
        bytes(64),
        b"\xff" * 64,
        raw[:32] + bytes(32),
        der[:-1],
        der + b"\0",
        der + raw,
        der.replace(b"\x30", b"\x31", 1),
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
        b"\x30\x80" + der[2:] + b"\0\0",
        RSA_KEY.sign(MESSAGE),
        b"\x30" * 10_000,
    ]


@pytest.mark.parametrize("signature", raw_forms(), ids=range(19))
def test_signature_of_another_form_is_refused(signature: bytes) -> None:
    assert EC_KEY.public.verifies(MESSAGE, EC_KEY.sign(MESSAGE))
    assert not EC_KEY.public.verifies(MESSAGE, signature)


def test_rsa_signature_of_another_form_is_refused() -> None:
    key = RSA_KEY.public
    right = RSA_KEY.sign(MESSAGE)
    pss = RSA_KEY.private.sign(
        MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
    )
    other = RSA_KEY.private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA384())

    assert key.verifies(MESSAGE, right)
    for wrong in (b"", right[:-1], right + b"\0", b"\0" + right, bytes(256), pss, other):
        assert not key.verifies(MESSAGE, wrong)


def test_raw_numbers_are_padded_to_32_bytes() -> None:
    message, r, _ = signature_whose(lambda r, s: r < 1 << 248)
    key = PrivateKey("key", EC_KEY.private)

    raw = key.sign(message)

    assert raw[0] == 0
    assert (len(raw), int.from_bytes(raw[:32], "big")) == (64, r)


def test_a_key_has_the_same_id_whatever_file_it_is_in(pem: Pem, tmp_path: Path) -> None:
    key = load_private_key(pem(EC_KEY.private))
    public = tmp_path / "public.pem"
    public.write_bytes(public_pem(key))

    assert load_public_key(public).id == key.public.id
    assert load_private_key(pem(RSA_KEY.private)).public.id != key.public.id
    assert len(key.public.id) == 16


@pytest.mark.parametrize("bits", [1024, 2047])
def test_an_rsa_key_that_others_can_break_neither_signs_nor_verifies(pem: Pem, bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    path = pem(key)
    text = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    finding = f"is an RSA key of {bits} bits, which others can break; make one of at least 2048"

    with pytest.raises(ArtifactError, match=finding):
        load_private_key(path)
    with pytest.raises(ArtifactError, match=finding):
        load_public_key(path)
    path.write_bytes(text)
    with pytest.raises(ArtifactError, match=finding):
        load_public_key(path)


@pytest.mark.parametrize(
    ("text", "load", "finding"),
    [
        (b" \n", load_private_key, "is empty; give a private key in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", load_public_key,
         "is a certificate, not a public key; give the key in it, which `openssl x509 -in"),
        (EC_KEY.public.pem.encode(), load_private_key,
         "is a public key, which cannot sign; give the private one"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
         load_private_key, "is a private key as OpenSSH writes it.*`ssh-keygen -p -m PEM"),
        (b"ssh-ed25519 AAAA a@b\n", load_public_key, "OpenSSH writes it.*ssh-keygen -e -m PKCS8"),
        (b"ecdsa-sha2-nistp256 AAAA\n", load_private_key, "give the private one in PEM"),
        (b"\x30\x59\x30\x13", load_public_key, "is in DER.*`openssl pkey -pubin -inform DER -in"),
        (b"\x30\x81\x87\x02", load_private_key, "is in DER.*`openssl pkey -inform DER -in"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_key_in_another_form_is_named_with_the_way_to_the_right_one(
    tmp_path: Path, text: bytes, load: Callable[[Path], object], finding: str
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(text)

    with pytest.raises(ArtifactError, match=rf"key\.pem: .*{finding}"):
        load(path)


def test_of_several_keys_in_a_file_none_is_taken_in_silence(pem: Pem) -> None:
    path = pem(EC_KEY.private)
    path.write_bytes(path.read_bytes() + pem(RSA_KEY.private).read_bytes())

    with pytest.raises(ArtifactError, match="has 2 keys; give each a file of its own"):
        load_private_key(path)


def test_an_rsa_key_with_a_small_exponent_does_not_sign(pem: Pem) -> None:
    path = pem(rsa.generate_private_key(3, 2048))

    with pytest.raises(
        ArtifactError, match="is an RSA key with the exponent 3; make one with 65537"
    ):
        load_private_key(path)


def test_a_key_is_known_by_its_content(pem: Pem, tmp_path: Path) -> None:
    public = EC_KEY.public
    (tmp_path / "a.pem").write_text(public.pem)

    again = load_public_key(tmp_path / "a.pem")

    assert again.pem == public.pem
    assert again.id == public.id != OTHER_KEY.public.id
    assert len(public.id) == 16
