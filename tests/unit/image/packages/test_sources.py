# SPDX-License-Identifier: Apache-2.0
"""The archives that are used from the machine's apt configuration."""

from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_image.errors import ImageError
from ota_image.packages.sources import (
    VARIABLE,
    Archive,
    Mirrors,
    archives,
    chosen_archives,
    chosen_mirrors,
    has_security,
    host_archives,
)

DEBIAN = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Architectures: amd64

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""
UBUNTU = """\
Types: deb
URIs: http://mirror.example/ubuntu
Suites: noble noble-updates noble-security
Components: main universe
"""
VENDOR = """\
Types: deb
URIs: https://vendor.example/apt
Suites: bookworm
Components: stable

Types: deb
URIs: https://vendor.example/node
Suites: nodistro
Components: main
"""


def etc_apt(folder: Path, **files: str) -> Path:
    """A folder like /etc/apt; a name's ``__`` stands for a dot."""
    parts = folder / "sources.list.d"
    parts.mkdir()
    for name, text in files.items():
        (parts / name.replace("__", ".")).write_text(text, "utf-8")
    return folder


def test_the_debian_archives_are_taken_and_a_vendors_are_not(tmp_path: Path) -> None:
    folder = etc_apt(tmp_path, debian__sources=DEBIAN, vendor__sources=VENDOR)

    found = host_archives("bookworm", folder)

    assert [each.uris for each in found] == [
        ("http://mirror.example/debian",),
        ("http://mirror.example/debian-security",),
    ]
    assert found[0].suites == ("bookworm", "bookworm-updates")
    assert found[0].components == ("main", "contrib")


def test_keys_come_along_and_the_architecture_of_the_machine_does_not(tmp_path: Path) -> None:
    folder = etc_apt(tmp_path, debian__sources=DEBIAN)

    first, second = host_archives("bookworm", folder)

    assert dict(first.options) == {
        "signed-by": "/usr/share/keyrings/debian-archive-keyring.gpg",
    }
    assert "-----BEGIN PGP" in second.stanza("deb")
    assert second.stanza("deb-src").startswith("Types: deb-src\n")


def test_entries_of_one_line_are_read_too(tmp_path: Path) -> None:
    text = "# deb http://off.example/ bookworm main\ndeb [signed-by=/k.gpg arch=amd64]"
    text += " http://mirror.example/debian bookworm main # why\n"
    folder = etc_apt(tmp_path, debian__list=text)

    found = host_archives("bookworm", folder)

    options = (("signed-by", "/k.gpg"),)
    assert found == (
        Archive(
            uris=("http://mirror.example/debian",),
            suites=("bookworm",),
            components=("main",),
            options=options,
        ),
    )


def test_a_disabled_entry_is_passed_over(tmp_path: Path) -> None:
    folder = etc_apt(tmp_path, debian__sources="Enabled: no\n" + DEBIAN)

    found = host_archives("bookworm", folder)

    assert [each.suites for each in found] == [("bookworm-security",)]


def test_a_machine_without_an_archive_of_debian_is_shown_the_line_to_write(
    tmp_path: Path,
) -> None:
    folder = etc_apt(tmp_path, ubuntu__sources=UBUNTU, vendor__sources=VENDOR)

    with pytest.raises(
        ImageError, match=r"no Debian archive; .*/ota-kit/mirrors as the line 'http://HOST/debian'"
    ):
        host_archives("trixie", folder)


@pytest.mark.parametrize("own", ["trixie", "sid", "stable"])
def test_the_mirror_of_another_suite_of_debian_has_the_release_and_its_updates(
    tmp_path: Path, own: str
) -> None:
    text = f"deb http://mirror.example/debian/ {own} main contrib\n"
    text += (
        f"deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example/debian {own} main\n"
    )
    folder = etc_apt(tmp_path, mine__list=text)

    found = host_archives("bookworm", folder)

    assert [(each.uris, each.suites) for each in found] == [
        (("http://mirror.example/debian/",), ("bookworm", "bookworm-updates")),
        (("http://mirror.example/debian-security",), ("bookworm-security",)),
    ]


def test_a_machine_that_knows_the_security_updates_of_another_suite_takes_its_address(
    tmp_path: Path,
) -> None:
    folder = etc_apt(tmp_path, debian__sources=DEBIAN)
    text = (folder / "sources.list.d" / "debian.sources").read_text()
    inline = text.partition("Signed-By:\n")[0] + "Signed-By: /k/debian-archive-keyring.gpg\n"
    (folder / "sources.list.d" / "debian.sources").write_text(inline)

    found = host_archives("trixie", folder)

    assert [each.suites for each in found] == [("trixie", "trixie-updates"), ("trixie-security",)]


def test_mirrors_come_from_the_option_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ota-kit").mkdir()
    (tmp_path / "ota-kit" / "mirrors").write_text("# ours\nhttp://file.example/debian  # why\n\n")

    in_file = chosen_mirrors()
    monkeypatch.setenv(VARIABLE, "http://one.example/debian; http://two.example trixie-security;")
    in_environment = chosen_mirrors()

    assert in_file.texts == ("http://file.example/debian",)
    assert in_file.place.endswith("ota-kit/mirrors")
    assert in_environment.place == "$OTA_MIRROR"
    assert in_environment.texts == (
        "http://one.example/debian",
        "http://two.example trixie-security",
    )
    assert chosen_mirrors(["http://three.example/debian"]).place == "--mirror"


def chosen(*texts: str) -> tuple[Archive, ...]:
    return chosen_archives(Mirrors("--mirror", texts), "bookworm")


def test_a_mirror_of_an_option_brings_updates_and_security_unless_it_names_a_suite() -> None:
    short = chosen("http://mirror.example/debian/")
    [full] = chosen("http://mirror.example/debian sid main contrib")

    assert [(each.uris, each.suites, each.components) for each in short] == [
        (("http://mirror.example/debian/",), ("bookworm", "bookworm-updates"), ("main",)),
        (("http://mirror.example/debian-security",), ("bookworm-security",), ("main",)),
    ]
    assert (full.suites, full.components) == (("sid",), ("main", "contrib"))
    assert has_security(short)
    assert not has_security([full])


def test_the_security_updates_of_an_option_are_the_only_ones() -> None:
    found = chosen("http://mirror.example/debian", "http://safe.example/updates bookworm-security")

    assert [each.uris for each in found] == [
        ("http://mirror.example/debian",),
        ("http://safe.example/updates",),
    ]


def test_where_a_mirror_of_another_name_keeps_security_updates_is_not_guessed() -> None:
    assert not has_security(chosen("http://mirror.example/pool"))


def test_a_mirror_that_is_not_a_url_is_refused() -> None:
    with pytest.raises(ImageError, match=r"--mirror: 'mirror\.example' is not a URL"):
        chosen("mirror.example")


def test_further_components_are_added() -> None:
    found = archives("bookworm", ["http://mirror.example/debian"], ["non-free-firmware", "main"])

    assert found[0].components == ("main", "non-free-firmware")


def test_a_file_of_mirrors_in_another_encoding_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ota-kit").mkdir()
    (tmp_path / "ota-kit" / "mirrors").write_bytes(b"# f\xfcr mich\nhttp://one.example/debian\n")

    with pytest.raises(ArtifactError, match="mirrors:1: is not UTF-8"):
        chosen_mirrors()


def test_a_comment_in_another_encoding_does_not_matter_to_apt_nor_to_us(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    line = b"deb http://one.example/debian bookworm main\n"
    (tmp_path / "sources.list").write_bytes(b"# f\xfcr mich\n" + line)
    stanza = b"# f\xfcr mich\nTypes: deb\nURIs: http://two.example/debian\n"
    (tmp_path / "sources.list.d" / "two.sources").write_bytes(
        stanza + b"Suites: bookworm\nComponents: main\n"
    )

    found = host_archives("bookworm", tmp_path)

    assert [each.uris for each in found] == [
        ("http://one.example/debian",),
        ("http://two.example/debian",),
    ]
