# SPDX-License-Identifier: Apache-2.0
"""Input that `ota-image rootfs` refuses before it does anything, and two of them at once."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from ota_artifact.keys import PublicKey
from ota_board.load import load_board
from ota_image.cli.main import build_parser, main
from ota_image.cli.rootfs import recipe_of, settings_of, source_of, update_lock_if_asked
from ota_image.packages.recipe import User
from ota_image.packages.sources import Source
from ota_image.rootfs.settings import Settings
from ota_image.rootfs.slot import Slot
from tests.golden.keys import EcKey
from tests.house.tree import ROOT


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (["--image", "nope"], "nope: no such image in images"),
        (["--server", "http://ota.example.org"], "must be an address with https://"),
        (
            ["--server", "https://a.example", "--without-agent"],
            "or --verify-key PEM, or on a bench",
        ),
        (["--verify-key", str(ROOT / "README.md")], "README.md: is not a public key in PEM"),
        (["--user", "ada"], "--user: needs --ssh-key"),
        (["--server-cert", "a.pem"], "--server-cert: needs --server"),
        (["--release", "1/2"], "must not have spaces, slashes or quotes"),
        (["--security-version", "1.2"], "--security-version: '1.2' is not a security version"),
        (["--agent-wheel", "none.whl", "--without-agent"], "leave one of them out"),
        (["--agent-wheel", str(ROOT / "README.md")], "README.md: is not a wheel: "),
    ],
)
def test_a_wrong_option_is_named(
    options: list[str], finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["rootfs", "qemu-arm64", *options])

    assert code == 2
    assert finding in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (["--key", "pkcs11:token=a;object=b"], "sign the artifact with `ota-artifact sign --key-p"),
        (["--key-passphrase-file", "pass"], "--key-passphrase-file: needs --key; give it too"),
        (["--key", "private.pem"], "is encrypted; give --key-passphrase-file or set $OTA_KEY_PASS"),
        (["--key", "private.pem", "--key-passphrase-file", "pass"], "is the passphrase right?"),
        (["--key", "public.pem"], "is a public key, which cannot sign; give the private one"),
        (["--verify-key", "two.pem"], "two.pem: has 2 keys; give each a file of its own"),
        (["--verify-key", "small.pem"], "small.pem: is an RSA key with the exponent 3; make one"),
    ],
)
def test_a_key_that_a_build_cannot_use_is_named(
    options: list[str], finding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = BestAvailableEncryption(b"secret")
    private = EcKey(7).private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)
    small = rsa.generate_private_key(3, 2048).public_key()
    (tmp_path / "private.pem").write_bytes(private)
    (tmp_path / "pass").write_text("wrong\n")
    (tmp_path / "public.pem").write_text(EcKey(7).public.pem)
    (tmp_path / "two.pem").write_text(EcKey(7).public.pem + EcKey(8).public.pem)
    (tmp_path / "small.pem").write_text(PublicKey("", small).pem)
    words = [str(tmp_path / each) if (tmp_path / each).exists() else each for each in options]

    code = main(["build", "qemu-arm64", "--without-agent", *words])

    assert code == 2
    assert finding in capsys.readouterr().err


def test_an_unknown_board_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["rootfs", "qemu-mips"])

    assert code == 2
    assert "qemu-mips: no such board" in capsys.readouterr().err


def test_an_image_may_go_without_the_agent() -> None:
    args = build_parser().parse_args(["rootfs", "qemu-arm64", "--without-agent"])

    assert settings_of(args).wheels == ()


def test_options_become_settings_and_a_source(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA ada@example.org\n")
    words = ["rootfs", "qemu-arm64", "--ssh-key", str(tmp_path / "key.pub"), "--locked"]
    words += [
        "--user",
        "ada",
        "--overlay",
        str(tmp_path),
        "--mirror",
        "http://mirror.example/debian",
    ]

    args = build_parser().parse_args(words)

    assert settings_of(args).ssh_keys == ("ssh-ed25519 AAAA ada@example.org",)
    assert settings_of(args).users == (User("ada", 1000),)
    assert settings_of(args).overlays == (tmp_path,)
    assert source_of(args) == Source(("http://mirror.example/debian",), True)
    assert not settings_of(args).is_open
    assert not settings_of(args).is_unsigned
    more = build_parser().parse_args([*words, "--open-login", "--unsigned", "--trust-unsigned"])
    assert settings_of(more).is_open
    assert settings_of(more).is_unsigned
    assert source_of(more).trusts_unsigned
    assert recipe_of(args, load_board(ROOT / "boards" / "qemu-arm64")).name == "minimal"


def test_two_at_once_in_one_folder_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def make_slot(_: object, __: object, settings: Settings, output: Path, **___: object) -> Slot:
        output.write_text(settings.release)
        if settings.release == "1":  # and before it is done, another one begins and ends
            assert main(["rootfs", "qemu-arm64", "--release", "2"]) == 0
        return Slot(path=output, sha256="", release=settings.release, packages=(), time=1)

    monkeypatch.setattr("ota_image.cli.rootfs.make_slot", make_slot)

    code = main(["rootfs", "qemu-arm64", "--release", "1"])

    folder = Path("build", "qemu-arm64")
    assert code == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "minimal-qemu-arm64-1.ext4": "1",
        "minimal-qemu-arm64-2.ext4": "2",
    }


def test_a_lock_that_the_next_version_replaces_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("ota_image.cli.rootfs.update_lock", lambda *_, **__: None)
    monkeypatch.setattr("ota_image.cli.rootfs._others", lambda *_: {})
    mirror = ["--mirror", "file:/none bookworm"]
    args = build_parser().parse_args(["rootfs", "qemu-arm64", "--update-lock", *mirror])
    board = load_board(ROOT / "boards" / "qemu-arm64")
    recipe = recipe_of(args, board)

    update_lock_if_asked(args, recipe, board)
    in_clone = capsys.readouterr().err
    monkeypatch.setattr("ota_image.cli.rootfs.PACKAGED", recipe.path.parent)
    update_lock_if_asked(args, recipe, board)

    assert "replaces this lock" not in in_clone
    assert "to keep it, copy that folder to ./images" in capsys.readouterr().err
