# SPDX-License-Identifier: Apache-2.0
"""The logins of a new device, and the artifacts that it trusts."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from ota_board.board import Board
from ota_board.load import load_board
from ota_image.build import build
from ota_image.errors import ImageError
from ota_image.packages.recipe import Login, Recipe, load_recipe
from ota_image.rootfs.access import check_keys, check_trust, remarks, with_login
from ota_image.rootfs.settings import Settings, VerifyKey, read_verify_key
from ota_image.rootfs.system import add_board
from ota_image.rootfs.tree import Tree
from ota_image.rootfs.wheel import Wheel
from tests.golden.keys import EcKey
from tests.house.tree import ROOT

QEMU, HARDWARE = (load_board(ROOT / "boards" / name) for name in ("qemu-arm64", "raspberrypi3"))
OPEN = load_recipe(ROOT / "images" / "minimal.yaml")
KEYS = dataclasses.replace(OPEN, login="keys")
SSH = "ssh-ed25519 AAAA ada@example.org"
KEY = VerifyKey("0123456789abcdef.pem", "-----BEGIN PUBLIC KEY-----\n")
SERVER = "https://ota.example.org"
WHEEL = Wheel(
    path=Path("a.whl"),
    name="ota-agent",
    version="1",
    sha256="0",
    tags=(),
    python="",
    needs=(),
)


@pytest.mark.parametrize(
    ("board", "recipe", "settings", "login"),
    [
        (QEMU, OPEN, Settings(), "open"),
        (QEMU, OPEN, Settings(ssh_keys=(SSH,)), "open"),
        (QEMU, OPEN, Settings(verify_keys=(KEY,)), "keys"),
        (QEMU, OPEN, Settings(server=SERVER, is_unsigned=True), "keys"),
        (QEMU, OPEN, Settings(verify_keys=(KEY,), is_open=True), "open"),
        (QEMU, KEYS, Settings(), "keys"),
        (QEMU, KEYS, Settings(is_open=True), "open"),
        (HARDWARE, OPEN, Settings(), "keys"),
        (HARDWARE, OPEN, Settings(ssh_keys=(SSH,)), "keys"),
        (HARDWARE, OPEN, Settings(is_open=True), "open"),
    ],
)
def test_a_recipe_opens_only_the_login_of_an_image_to_play_with(
    board: Board, recipe: Recipe, settings: Settings, login: Login
) -> None:
    assert with_login(board, recipe, settings).login == login


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), "nobody can log in, neither on the console nor by SSH; give --ssh-key FILE"),
        (Settings(ssh_keys=(SSH,)), "only the owners of --ssh-key can log in, by SSH"),
        (Settings(is_open=True), "--open-login: root can log in on the console and by SSH"),
    ],
)
def test_a_build_says_who_can_log_in(settings: Settings, said: str) -> None:
    assert said in "\n".join(remarks(HARDWARE, OPEN, settings))


def test_a_build_says_that_a_device_takes_updates_from_anyone() -> None:
    without = [*remarks(QEMU, OPEN, Settings(wheels=(WHEEL,)))]
    with_key = [*remarks(QEMU, OPEN, Settings(wheels=(WHEEL,), verify_keys=(KEY,)))]

    assert any("installs updates from anyone; give --key PEM" in each for each in without)
    assert not any("from anyone" in each for each in with_key)


def test_a_server_without_a_key_is_refused_unless_the_user_asks_for_it() -> None:
    with pytest.raises(ImageError, match=r"give --key PEM.*or on a bench --unsigned"):
        check_trust(Settings(server=SERVER))

    check_trust(Settings(server=SERVER, is_unsigned=True))
    check_trust(Settings(server=SERVER, verify_keys=(KEY,)))
    with pytest.raises(ImageError, match="--unsigned: contradicts --key"):
        check_trust(Settings(verify_keys=(KEY,), is_unsigned=True))


def test_a_build_with_a_server_and_no_key_fails_before_it_works(tmp_path: Path) -> None:
    folder = ROOT / "boards" / "qemu-arm64"

    with pytest.raises(ImageError, match="without a key"):
        build(QEMU, folder, OPEN, Settings(server=SERVER), tmp_path / "made")

    assert not (tmp_path / "made").exists()


def test_the_keys_are_on_the_device_and_named_for_both_agents(tmp_path: Path) -> None:
    tree = Tree(tmp_path)

    add_board(tree, QEMU, KEYS, Settings(release="1", verify_keys=(KEY,)), 1)

    path = "/etc/ota/keys/0123456789abcdef.pem"
    assert tree.text(path) == KEY.pem
    assert tomllib.loads(tree.text("/etc/ota/agent.toml")) == {"keys": {"keys": [path]}}
    assert f'"ArtifactVerifyKeys": [\n  "{path}"' in tree.text("/etc/mender/mender.conf")


def test_a_device_that_cannot_use_a_key_of_the_build_is_not_made(tmp_path: Path) -> None:
    settings = Settings(release="1", verify_keys=(KEY,), wheels=(WHEEL,))
    tree = Tree(tmp_path)
    add_board(tree, QEMU, KEYS, settings, 1)
    with pytest.raises(ImageError, match="add python3-cryptography to the recipe"):
        check_keys(tree, settings)
    tree.add_file("/usr/lib/python3/dist-packages/cryptography/__init__.py", "")
    check_keys(tree, settings)
    tree.add_file("/etc/ota/agent.toml", '[tls]\nserver_certificate = "/a"\n')

    with pytest.raises(ImageError, match=r"of an overlay: its \[keys\] keys lacks the key 0123"):
        check_keys(tree, settings)

    tree.add_file("/etc/own.pem", KEY.pem)
    tree.add_file("/etc/ota/agent.toml", '[keys]\nkeys = ["/etc/own.pem, expires = 2030-01-01"]\n')
    check_keys(tree, settings)
    tree.add_file("/etc/ota/agent.toml", "[keys\n")
    with pytest.raises(ImageError, match="of an overlay: is not usable"):
        check_keys(tree, settings)


def test_a_verification_key_has_a_name_by_its_content(tmp_path: Path) -> None:
    public = EcKey(7).public
    (tmp_path / "a.pem").write_text(public.pem)
    (tmp_path / "b.pem").write_text(public.pem)

    key = read_verify_key(tmp_path / "a.pem")

    assert key == read_verify_key(tmp_path / "b.pem")
    assert Settings().trusting(public).trusting(public).verify_keys == (key,)


def test_a_private_key_is_not_a_verification_key(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("-----BEGIN PRIVATE KEY-----\n")

    with pytest.raises(ImageError, match="must not be on a device; give its public half"):
        read_verify_key(file)
    file.write_text("hello\n")
    with pytest.raises(ImageError, match=r"key\.pem: is not a public key"):
        read_verify_key(file)
