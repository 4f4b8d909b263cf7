# SPDX-License-Identifier: Apache-2.0
"""What packages would do when they are installed, and what the build adds."""

import dataclasses
import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ota_artifact.run import run
from ota_board.entry import extlinux
from ota_board.load import load_board
from ota_image.errors import ImageError
from ota_image.packages.recipe import Login, Recipe, User
from ota_image.rootfs.settings import Settings, read_certificate, read_ssh_keys, read_users
from ota_image.rootfs.system import add_accounts, add_applets, add_board, add_certificates
from ota_image.rootfs.tree import Tree
from tests.house.tree import ROOT
from tests.unit.image.rootfs.wheels import wheel

RECIPE = Recipe(
    path=Path("tiny.yaml"),
    name="tiny",
    summary="tiny",
    suite="bookworm",
    components=(),
    install="unpack",
    packages=("init",),
    without=(),
    leave_out=(),
    folders=(),
    links=(),
    modules=(),
    overlays=(),
    login="keys",
    users=(),
    slot=0,
)
BOARD = load_board(ROOT / "boards" / "qemu-arm64")
UNPACKER = "ota-unpack:x:811:811::/nonexistent:/usr/sbin/nologin\n"
KEY = "ssh-ed25519 AAAA ada@example.org"
SCRIPTS = sorted((ROOT / "images" / "overlay").glob("*/usr/lib/ota/*"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with base-passwd's files."""
    tree = Tree(tmp_path)
    masters = "/usr/share/base-passwd"
    tree.add_file(f"{masters}/passwd.master", "root:*:0:0:root:/root:/bin/bash\nbin:*:2:2:::/x\n")
    tree.add_file(f"{masters}/group.master", "root:*:0:\nshadow:*:42:\n")
    return tree


def test_busybox_has_a_link_for_each_of_its_names_that_is_free(tree: Tree) -> None:
    tree.add_file("/bin/busybox", b"ELF\0\0[\0[[\0init\0ls\0mke2fs\0\0more")
    tree.add_file("/sbin/mke2fs", "the real one")

    add_applets(tree)

    links = {path: entry.target for path, entry in tree if "busybox" in entry.target}
    assert links.keys() == {"/usr/bin/[", "/usr/bin/[[", "/usr/bin/ls", "/usr/bin/init"} | {
        "/usr/sbin/init"
    }


def test_a_busybox_without_a_list_of_names_is_refused(tree: Tree) -> None:
    tree.add_file("/bin/busybox", b"ELF")

    with pytest.raises(ImageError, match="has no list of its applets"):
        add_applets(tree)


def test_no_user_logs_in_by_password_unless_the_recipe_says_so(tree: Tree) -> None:
    add_accounts(tree, RECIPE, Settings(ssh_keys=(KEY,)))

    assert tree.text("/etc/shadow") == (
        "root:*::0:99999:7:::\nbin:*::0:99999:7:::\nota-unpack:*::0:99999:7:::\n"
    )
    assert tree.text("/etc/passwd").startswith("root:x:0:0:root:/root:/bin/sh\n")
    shadow, keys = tree.get("/etc/shadow"), tree.get("/root/.ssh/authorized_keys")
    assert shadow is not None
    assert (shadow.mode, shadow.gid) == (0o640, 42)
    assert keys is not None
    assert keys.mode == 0o600
    assert tree.text("/root/.ssh/authorized_keys") == f"{KEY}\n"


def test_an_open_image_lets_root_in(tree: Tree) -> None:
    add_accounts(tree, dataclasses.replace(RECIPE, login="open"), Settings())

    assert tree.text("/etc/shadow").startswith("root:::0:99999:7:::\nbin:*:")


def test_a_user_has_a_home_and_the_keys(tree: Tree) -> None:
    recipe = dataclasses.replace(RECIPE, users=(User("ada", 1000),))

    add_accounts(tree, recipe, Settings(ssh_keys=(KEY,)))

    keys = tree.get("/home/ada/.ssh/authorized_keys")
    assert keys is not None
    assert (keys.uid, keys.gid) == (1000, 1000)
    assert "ada:x:1000:1000::/home/ada:/bin/sh\n" in tree.text("/etc/passwd")
    assert "ada:x:1000:\n" in tree.text("/etc/group")


def test_the_options_users_come_after_the_recipes(tree: Tree) -> None:
    recipe = dataclasses.replace(RECIPE, users=(User("ada", 1000),))

    add_accounts(tree, recipe, Settings(users=(User("eve", 1001),), ssh_keys=(KEY,)))

    assert tree.text("/etc/passwd").endswith(
        "ada:x:1000:1000::/home/ada:/bin/sh\neve:x:1001:1001::/home/eve:/bin/sh\n" + UNPACKER
    )
    assert tree.text("/home/eve/.ssh/authorized_keys") == f"{KEY}\n"


@pytest.mark.parametrize("user", [User("eve", 1000), User("ada", 1001), User("bin", 1002)])
def test_a_user_whose_name_or_number_is_taken_is_refused(tree: Tree, user: User) -> None:
    recipe = dataclasses.replace(RECIPE, users=(User("ada", 1000),))

    with pytest.raises(ImageError, match=f"user {user.name}.*--user NAME:UID"):
        add_accounts(tree, recipe, Settings(users=(user,), ssh_keys=(KEY,)))


def test_accounts_of_installed_packages_stay(tree: Tree) -> None:
    rows = "root:x:0:0:root:/root:/bin/bash\nsystemd-network:x:998:998::/:/usr/sbin/nologin\n"
    tree.add_file("/etc/passwd", rows)
    tree.add_file("/etc/group", "root:x:0:\nsystemd-network:x:998:\n")

    add_accounts(tree, RECIPE, Settings(users=(User("eve", 1000),), ssh_keys=(KEY,)))

    assert tree.text("/etc/passwd") == f"{rows}eve:x:1000:1000::/home/eve:/bin/sh\n{UNPACKER}"
    assert tree.text("/etc/group").splitlines()[1:] == [
        "systemd-network:x:998:",
        "eve:x:1000:",
        "ota-unpack:x:811:",
    ]
    assert tree.text("/etc/shadow").startswith("root:*:")


@pytest.mark.parametrize(
    ("texts", "users"),
    [
        (["ada", "eve"], (User("ada", 1000), User("eve", 1001))),
        (["ada:1234"], (User("ada", 1234),)),
        ([], ()),
    ],
)
def test_users_are_read(texts: list[str], users: tuple[User, ...]) -> None:
    assert read_users(texts) == users


@pytest.mark.parametrize(
    ("texts", "finding"),
    [
        (["root"], "'root': must start with a name"),
        (["Ada"], "'Ada': must start with a name"),
        (["ada:"], "'ada:': must have a number from 1000"),
        (["ada:10"], "'ada:10': must have a number from 1000"),
        (["ada", "ada"], "user ada"),
        (["ada:1001", "eve"], "user eve"),
    ],
)
def test_an_impossible_user_is_named(texts: list[str], finding: str) -> None:
    with pytest.raises(ImageError, match=finding):
        read_users(texts)


def test_the_known_authorities_are_where_openssl_looks(tree: Tree) -> None:
    tree.add_file("/usr/share/ca-certificates/mozilla/B.crt", "B\n\n")
    tree.add_file("/usr/share/ca-certificates/mozilla/A.crt", "A")

    add_certificates(tree)

    assert tree.text("/usr/lib/ssl/cert.pem") == "A\nB\n"


def test_the_image_says_which_board_and_release_it_is(tree: Tree) -> None:
    add_board(tree, BOARD, RECIPE, Settings(release="1.2"), 1_700_000_000)

    assert tree.text("/etc/mender/artifact_info") == "artifact_name=tiny-1.2\n"
    assert "release=1.2\n" in tree.text("/etc/ota/release")
    assert "OTA_SLOT_B=/dev/mmcblk0p3\n" in tree.text("/etc/ota/board")
    assert tree.text("/etc/fw_env.config").startswith("/dev/mmcblk0 0x400000 0x20000\n")
    assert json.loads(tree.text("/usr/share/ota/layout.json"))["device"] == "/dev/mmcblk0"
    assert tree.get("/etc/mender/mender.conf") is None


def test_the_image_says_which_security_version_it_has(tree: Tree) -> None:
    add_board(tree, BOARD, RECIPE, Settings(release="1.2", security_version=0), 1)

    assert "security_version=0\n" in tree.text("/etc/ota/release")


def test_both_agents_are_configured_with_the_server(tree: Tree) -> None:
    settings = Settings(release="1", server="https://ota.example.org:8443", certificate="PEM")

    add_board(tree, BOARD, RECIPE, settings, 1)

    mender = json.loads(tree.text("/etc/mender/mender.conf"))
    agent = tomllib.loads(tree.text("/etc/ota/agent.toml"))
    assert [mender["ServerURL"]] == agent["server"]["urls"] == ["https://ota.example.org:8443"]
    certificate = agent["tls"]["server_certificate"]
    assert mender["ServerCertificate"] == certificate == "/etc/ota/server.crt"
    assert tree.text("/etc/ota/server.crt") == "PEM"


def test_the_agents_configuration_has_what_the_build_sets_and_nothing_else(tree: Tree) -> None:
    add_board(tree, BOARD, RECIPE, Settings(release="1", server="https://a.example"), 1)

    assert tree.text("/etc/ota/agent.toml") == (
        "# What the build of this image sets; /usr/share/ota/agent.toml explains every key.\n"
        '\n[server]\nurls = ["https://a.example"]\n'
    )


def test_an_image_with_the_agent_has_a_configuration_though_the_build_sets_nothing(
    tree: Tree, tmp_path: Path
) -> None:
    add_board(tree, BOARD, RECIPE, Settings(release="1", wheels=(wheel(tmp_path),)), 1)

    assert tomllib.loads(tree.text("/etc/ota/agent.toml")) == {}


@pytest.mark.parametrize(("keys", "may"), [((), True), ((KEY,), False)])
def test_data_may_allow_plain_http_only_in_an_image_with_an_open_login(
    keys: tuple[str, ...], may: bool, tree: Tree
) -> None:
    settings = Settings(release="1", server="https://a.example", ssh_keys=keys)

    add_board(tree, BOARD, dataclasses.replace(RECIPE, login="open"), settings, 1)

    found = tomllib.loads(tree.text("/etc/ota/agent.toml")).get("data", {}).get("may", [])
    assert ("tls.allow_plain_http" in found) == may


def test_an_image_without_agent_and_server_has_no_configuration(tree: Tree) -> None:
    add_board(tree, BOARD, RECIPE, Settings(release="1"), 1)

    assert tree.get("/etc/ota/agent.toml") is None


@pytest.mark.parametrize(
    "path",
    [
        'a"b',
        "a\\u0041\\",
        "\u00e9\u4e2d\U0001f600",
        "\n[tls]\r\t\0\x1b\x7f",
        "{{ 7 }}",
        "\u2028\x85",
    ],
)
def test_the_agent_is_configured_with_any_server_as_it_is(tree: Tree, path: str) -> None:
    server = f"https://ota.example.org/{path}"

    add_board(tree, BOARD, RECIPE, Settings(release="1", server=server, certificate="PEM"), 1)

    assert tomllib.loads(tree.text("/etc/ota/agent.toml")) == {
        "server": {"urls": [server]},
        "tls": {"server_certificate": "/etc/ota/server.crt"},
    }


def test_a_server_that_is_not_valid_text_is_refused(tree: Tree) -> None:
    settings = Settings(release="1", server="https://ota.example.org/\udcff")

    with pytest.raises(ImageError, match=r"'https.*udcff': is not text in UTF-8"):
        add_board(tree, BOARD, RECIPE, settings, 1)


@pytest.mark.parametrize(
    ("login", "keys", "options"),
    [("open", (), "-B"), ("open", (KEY,), "-s"), ("keys", (), "-s")],
)
def test_ssh_takes_no_passwords_unless_the_image_is_open_and_has_no_keys(
    tree: Tree, login: Login, keys: tuple[str, ...], options: str
) -> None:
    recipe = dataclasses.replace(RECIPE, login=login)

    add_board(tree, BOARD, recipe, Settings(release="1", ssh_keys=keys), 1)

    assert f"OTA_DROPBEAR={options}\n" in tree.text("/etc/ota/board")


def test_extlinux_leaves_the_device_to_the_bootloader() -> None:
    lines = extlinux(BOARD).splitlines()

    assert lines[1:4] == ["label slot", "  kernel /boot/vmlinuz", "  initrd /boot/initrd.img"]
    assert lines[-1].startswith("  append root=${mender_kernel_root} rootwait ro console=ttyAMA0")
    assert "panic=10" in lines[-1]


def test_a_board_with_one_device_tree_names_it_and_one_with_more_leaves_the_choice() -> None:
    one = extlinux(load_board(ROOT / "boards" / "beaglebone-black"))
    more = extlinux(load_board(ROOT / "boards" / "raspberrypi3"))

    assert "  fdt /boot/dtbs/am335x-boneblack.dtb\n" in one
    assert "  fdtdir /boot/dtbs\n" in more
    assert "fdt" not in extlinux(BOARD)


def test_a_private_key_is_not_put_into_an_image(tmp_path: Path) -> None:
    file = tmp_path / "id"
    file.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")

    with pytest.raises(ImageError, match=r"id: is a private key; give the public one, .*id\.pub"):
        read_ssh_keys(file)


def test_public_keys_are_read_and_other_lines_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pub", tmp_path / "bad.pub"
    good.write_text(f"# mine\n{KEY}\n\n")
    bad.write_text(f"{KEY}\nhello\n")

    assert read_ssh_keys(good) == (KEY,)
    with pytest.raises(ImageError, match=r"bad\.pub:2: is not a public key"):
        read_ssh_keys(bad)


def test_a_certificate_must_be_one(tmp_path: Path) -> None:
    file = tmp_path / "server.crt"
    file.write_text("DER")

    with pytest.raises(ImageError, match="is not just a certificate in PEM"):
        read_certificate(file)
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(ImageError, match=r"server\.crt: has a damaged certificate"):
        read_certificate(file)


def certificate(*names: str, is_authority: bool = False, days: int = 3) -> bytes:
    """A certificate that is good for some days, or was until then."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if names:
        hosts = x509.SubjectAlternativeName(map(x509.DNSName, names))
        builder = builder.add_extension(hosts, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_certificate_that_a_device_believes_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "server.crt"

    for data in (
        certificate("a.example"),
        certificate("*", "a.example"),
        certificate(is_authority=True),
        certificate(is_authority=True, days=-1) + certificate(is_authority=True),
    ):
        file.write_bytes(data)
        assert read_certificate(file) == data.decode()


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (certificate(), "name in its subjectAltName, which a device refuses"),
        (certificate("*"), "name in its subjectAltName, which a device refuses"),
        (certificate("a.example", days=-1), "has expired on .*; give one that is good"),
    ],
    ids=("no-name", "any-name", "expired"),
)
def test_a_certificate_that_every_device_would_refuse_is_not_taken(
    tmp_path: Path, data: bytes, finding: str
) -> None:
    file = tmp_path / "server.crt"
    file.write_bytes(data)

    with pytest.raises(ImageError, match=rf"server\.crt: .*{finding}"):
        read_certificate(file)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parts[-5]}-{path.name}")
def test_every_script_of_the_slot_is_right_for_a_posix_shell(script: Path) -> None:
    assert run(("sh", "-n", script), timeout=10) == b""
