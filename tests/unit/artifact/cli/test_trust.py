# SPDX-License-Identifier: Apache-2.0
"""`trust`: from the first version to the artifact."""

import json
from pathlib import Path

import pytest

from ota_artifact.keys import load_public_key
from tests.unit.artifact.cli.conftest import Command, header_of

pytestmark = pytest.mark.usefixtures("in_folder")


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three keys: 1.key, 1.pem and so on."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    monkeypatch.chdir(tmp_path)
    for name in "123":
        key = ec.generate_private_key(ec.SECP256R1())
        form = PrivateFormat.PKCS8, NoEncryption()
        Path(f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, *form))
        Path(f"{name}.pem").write_text(load_public_key(Path(f"{name}.key")).pem)


def id_of(name: str) -> str:
    return load_public_key(Path(f"{name}.pem")).id


def test_one_key_follows_another(command: Command) -> None:
    first = command.ok("trust", "new", "--add", "1.pem", "--add", "2.pem, roles = trust", "-o", "a")
    command.ok("trust", "sign", "a", "-k", "1.key")
    command.ok("trust", "change", "a", "--add", "3.pem", "--revoke", id_of("1"), "-o", "b")
    command.ok("trust", "sign", "b", "-k", "2.key")
    command.ok("trust", "write", "b", "-c", "rpi3", "-k", "2.key", "-o", "t.mender")

    assert "1 more of its keys for trust must sign it" in first.out
    shown = json.loads(command.ok("trust", "show", "b", "--after", "a", "--json").out)
    assert shown == {
        "version": 2,
        "threshold": 1,
        "keys": [
            {"id": id_of("2"), "roles": ["trust"], "device_types": [], "expires": None},
            {"id": id_of("3"), "roles": ["trust", "release"], "device_types": [], "expires": None},
        ],
        "revoked": [id_of("1")],
        "signatures": {id_of("2"): True},
    }
    assert header_of(Path("t.mender")).payloads[0].provides == {
        "rootfs-image.ota-trust.security_version": "2"
    }
    assert "Type: ota-trust" in command.ok("read", "t.mender").out


def test_what_a_device_would_refuse_is_seen_before(command: Command) -> None:
    command.ok("trust", "new", "--add", "1.pem", "-o", "a")
    command.ok("trust", "change", "a", "--add", "2.pem", "--remove", "1.pem", "-o", "b")
    command.ok("trust", "sign", "b", "-k", "2.key")

    unsigned = command("trust", "write", "a", "-c", "rpi3", "-k", "1.key", "-o", "t.mender")
    stranger = command("trust", "show", "b", "--after", "a")

    assert unsigned.code == 1
    assert "1 more of its keys for trust must sign it: no device would take it" in unsigned.err
    assert not Path("t.mender").exists()
    assert stranger.code == 5
    assert "signed by 0 of the keys that are trusted until now" in stranger.err
    assert "warning: if one key for trust is lost" in stranger.out


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        (("new", "--add", "1.pem, roles = root"), "'root' is not one of trust, release, debug"),
        (("new", "--add", "1.pem, roles = debug"), "0 keys for any device have the role trust"),
        (("new", "--add", "1.pem, roles = trust"), "no key for any device has the role release"),
        (("new", "--add", "1.pem, expires = soon"), "'soon' is not a date"),
        (("new", "--add", "1.pem, expires = 2020-01-01"), "has expired already; give a later day"),
        (("new", "--add", "1.pem, expires = 2030-01-01, expires = 2030-01-01"), "expires twice"),
        (("new", "--add", "1.pem", "--add", "1.pem"), "twice; name it once"),
        (("new", "--add", "none.pem"), "none.pem: No such file"),
        (("new", "--add", "1.pem", "--threshold", "2"), "and 2 must sign the next version"),
        (("change", "1.pem", "--remove", "2.pem"), "1.pem: is not JSON"),
        (("sign", "1.pem"), "missing signing key"),
        (("sign", "1.pem", "-k", "1.key"), "1.pem: is not JSON"),
        (("write", "1.pem", "-c", "rpi3"), "missing signing key"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    command: Command, arguments: tuple[str, ...], finding: str
) -> None:
    done = command("trust", *arguments)

    assert done.code
    assert finding in done.err
    assert not Path("trust.json").exists()


def test_a_key_that_is_not_there_cannot_be_removed(command: Command) -> None:
    command.ok("trust", "new", "--add", "1.pem")

    done = command("trust", "change", "trust.json", "--remove", "2.pem")

    assert f"--remove: key {id_of('2')} is not in trust.json" in done.err
