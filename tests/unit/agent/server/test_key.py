# SPDX-License-Identifier: Apache-2.0
"""The device's key: made once, kept safe, and never in the daemon's own memory."""

import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from ota_agent.errors import AgentError
from ota_agent.server.key import DeviceKey, replaced
from ota_agent.server.options import KeyOptions
from ota_artifact.run import run
from tests.conftest import requires_program

MESSAGE = b'{"id_data":"{}"}'


def device_key(folder: Path, **options: Any) -> DeviceKey:
    settings = {"path": folder / "key.pem", "mender_key": "", **options}
    return DeviceKey(KeyOptions(**settings))


def verify(public: Any, signature: bytes) -> None:
    match public:
        case ed25519.Ed25519PublicKey():
            public.verify(signature, MESSAGE)
        case ec.EllipticCurvePublicKey():
            public.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPublicKey():
            public.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
        case _:
            pytest.fail(f"what key is {public}?")


@pytest.mark.boot  # RSA 3072 is found by trying
@pytest.mark.parametrize(
    ("algorithm", "kind", "bits"),
    [
        ("ed25519", ed25519.Ed25519PublicKey, None),
        ("ecdsa", ec.EllipticCurvePublicKey, 256),
        ("rsa", rsa.RSAPublicKey, 3072),
    ],
)
def test_a_key_is_made_once_for_only_root(
    tmp_path: Path, algorithm: str, kind: type, bits: int | None
) -> None:
    key = device_key(tmp_path, algorithm=algorithm)

    public = load_pem_public_key(key.public.encode())
    verify(public, key.sign(MESSAGE))

    assert isinstance(public, kind)
    assert bits is None or public.key_size == bits  # type: ignore[union-attr]
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]
    assert device_key(tmp_path).public == key.public


def test_menders_key_becomes_ours_and_stays_menders(tmp_path: Path) -> None:
    mender = tmp_path / "mender-agent.pem"
    device_key(tmp_path, path=mender).ensure()

    taken = device_key(tmp_path, mender_key=str(mender))

    assert taken.public == device_key(tmp_path, path=mender).public
    assert (tmp_path / "key.pem").read_bytes() == mender.read_bytes()


def test_menders_key_that_others_can_break_is_not_taken(tmp_path: Path) -> None:
    mender = tmp_path / "mender-agent.pem"
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 -- what is refused
    mender.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    device_key(tmp_path, mender_key=str(mender)).ensure()

    assert (tmp_path / "key.pem").read_bytes() != mender.read_bytes()


@requires_program("openssl", package="openssl")
def test_a_key_by_another_tool_in_another_form_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    command = ["openssl", "ecparam", "-genkey", "-name", "secp384r1", "-noout", "-out", str(path)]
    run(command, timeout=10)

    key = device_key(tmp_path)

    verify(load_pem_public_key(key.public.encode()), key.sign(MESSAGE))


def test_a_key_with_a_passphrase_is_made_and_read_with_it(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("secret\n")
    key = device_key(tmp_path, passphrase_file=str(passphrase))

    verify(load_pem_public_key(key.public.encode()), key.sign(MESSAGE))

    assert "ENCRYPTED" in (tmp_path / "key.pem").read_text()
    with pytest.raises(AgentError, match=r"key\.pem: is encrypted; set passphrase_file$"):
        device_key(tmp_path).sign(MESSAGE)
    passphrase.write_text("wrong")
    with pytest.raises(AgentError, match="the passphrase does not fit"):
        device_key(tmp_path, passphrase_file=str(passphrase)).sign(MESSAGE)


def test_a_file_that_is_not_a_key_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("nothing")

    with pytest.raises(AgentError, match=r"key\.pem: is not a usable private key.*remove it"):
        device_key(tmp_path).sign(MESSAGE)


def test_a_key_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"no-folder/key\.pem: .*is its folder there"):
        device_key(tmp_path, path=tmp_path / "no-folder" / "key.pem").ensure()


def test_the_daemon_itself_never_loads_what_signs(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ota_agent.server.key import *;"
        f"key = DeviceKey(KeyOptions(path=Path({str(tmp_path / 'key.pem')!r}), mender_key=''));"
        "key.public; key.sign(b'x'); print('cryptography' in sys.modules)"
    )

    said = run([sys.executable, "-c", program], timeout=30)

    assert said == b"False\n"


DAMAGE = [b"", b"\0" * 300, b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw", b"\xff" * 100]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_key_of_the_agents_own_is_put_aside_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path, told = tmp_path / "key.pem", list[str]()
    path.write_bytes(content)
    options = KeyOptions(path=path, mender_key="")

    key = DeviceKey(options, is_own=True, tell=told.append)

    verify(load_pem_public_key(key.public.encode()), key.sign(MESSAGE))
    assert (tmp_path / "key.pem.broken").read_bytes() == content
    assert "it is put aside as .broken" in caplog.text
    assert told == [replaced(path)]
    assert "the device has a new key: accept the device at the server" in told[0]
    assert DeviceKey(options, is_own=True).public == key.public


def test_a_folder_in_the_place_of_the_key_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "key.pem" / "x").mkdir(parents=True)

    DeviceKey(KeyOptions(path=tmp_path / "key.pem", mender_key=""), is_own=True).sign(MESSAGE)

    assert (tmp_path / "key.pem.broken" / "x").is_dir()


@pytest.mark.parametrize("content", DAMAGE)
def test_a_key_that_a_user_has_put_there_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)

    with pytest.raises(AgentError, match=r"key\.pem: is not a usable private key"):
        DeviceKey(KeyOptions(path=path, mender_key="")).sign(MESSAGE)

    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]
    assert replaced(path) == ""


def test_a_passphrase_that_does_not_fit_costs_no_key(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("right\n")
    options = KeyOptions(path=tmp_path / "key.pem", mender_key="", passphrase_file=str(passphrase))
    DeviceKey(options, is_own=True).ensure()
    whole = options.path.read_bytes()

    passphrase.write_text("wrong\n")
    with pytest.raises(AgentError, match="the passphrase does not fit"):
        DeviceKey(options, is_own=True).sign(MESSAGE)
    passphrase.write_text("\n")
    with pytest.raises(AgentError, match="is encrypted; set passphrase_file"):
        DeviceKey(options, is_own=True).sign(MESSAGE)

    assert options.path.read_bytes() == whole


def test_a_damaged_key_of_menders_is_not_taken_over_and_a_good_one_comes_back(
    tmp_path: Path,
) -> None:
    mender, path = tmp_path / "mender-agent.pem", tmp_path / "key.pem"
    mender.write_bytes(b"\0" * 100)
    options = KeyOptions(path=path, mender_key=str(mender))
    made = DeviceKey(options, is_own=True).public

    device_key(tmp_path, path=tmp_path / "good.pem").ensure()
    mender.write_bytes((tmp_path / "good.pem").read_bytes())
    path.write_bytes(b"")

    found = DeviceKey(options, is_own=True).public
    assert found == device_key(tmp_path, path=mender).public != made
