# SPDX-License-Identifier: Apache-2.0
"""apt in the cache, against an archive in a folder."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_image.cache import cache_folder
from ota_image.errors import ImageError
from ota_image.packages import sources
from ota_image.packages.apt import AptRoot, download, package_file
from ota_image.packages.configuration import host_settings, unsafe_settings
from ota_image.packages.reach import apt_for, unsafe_parts
from ota_image.packages.sources import ANY_SOURCE, Archive, Source
from tests.conftest import requires_program
from tests.unit.image.packages.archive import entry, flat, root, suite_in

pytestmark = requires_program("/usr/lib/apt/apt-helper", package="apt")


def test_dependencies_come_along_and_recommendations_do_not(archive: Path) -> None:
    packages = root(archive).resolve(["init"])

    assert [(each.name, each.version) for each in packages] == [
        ("init", "1:2.0-1"),
        ("libinit", "2.0-1"),
    ]
    assert packages[1].sha256 == hashlib.sha256(b"libinit 2.0-1").hexdigest()


def test_packages_come_into_the_cache_by_their_digest(archive: Path) -> None:
    apt = root(archive)
    packages = apt.resolve(["init"])

    download(apt, packages, lambda text: None)

    assert package_file(packages[1]).read_bytes() == b"libinit 2.0-1"
    assert len(list(package_file(packages[0]).parent.iterdir())) == 2


def test_a_package_that_differs_from_the_list_stays_out(archive: Path) -> None:
    apt = root(archive)
    packages = apt.resolve(["init"])
    (archive / "libinit_2.0-1_arm64.deb").write_bytes(b"malware 2.0-1")

    with pytest.raises(ProgramError, match=r"^Failed to fetch .* Hash .*; try again, or name an"):
        download(apt, packages, lambda text: None)

    assert not package_file(packages[1]).exists()
    assert package_file(packages[0]).read_bytes() == b"init 1:2.0-1"  # need not come again
    assert len(list(package_file(packages[0]).parent.iterdir())) == 1


def test_a_version_that_is_newer_than_the_lists_is_found(archive: Path) -> None:
    root(archive).resolve(["init"])
    with (archive / "Packages").open("a") as index:
        index.write(entry(archive, "libinit", "3.0-1"))

    found = root(archive).find("libinit", "3.0-1")

    assert found
    assert found.version == "3.0-1"
    assert root(archive).find("libinit", "4.0-1") is None


def test_what_a_killed_download_left_is_removed_by_the_next_one(archive: Path) -> None:
    apt = root(archive)
    packages = apt.resolve(["init"])
    folder = package_file(packages[0]).parent
    (folder / ".work.killed").mkdir(parents=True)
    (folder / ".work.killed" / "part").write_bytes(b"half")

    download(apt, packages, lambda text: None)

    assert {path.suffix for path in folder.iterdir()} == {".deb"}


def test_an_unknown_package_is_named(archive: Path) -> None:
    with pytest.raises(ImageError, match="Unable to locate package nonsense for arm64"):
        root(archive).resolve(["init", "nonsense"])


@pytest.mark.parametrize("name", ["a b", "a:b", "a%22b", 'a"b', "a'b", "a$b", "a,b", "grün"])
def test_the_cache_may_have_any_name(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
    apt = root(archive)

    download(apt, apt.resolve(["libinit"]), lambda text: None)

    assert len(list((tmp_path / name).glob("ota-kit/packages/*.deb"))) == 1


def test_a_version_that_is_gone_is_named(archive: Path) -> None:
    with pytest.raises(ImageError, match="Version '3' for 'init' was not found for arm64"):
        root(archive).resolve(["init=3"])


def test_without_the_list_of_security_updates_nothing_is_the_newest(archive: Path) -> None:
    safe = Archive(
        uris=(f"file:{archive}/none",), suites=("bookworm-security",), components=("main",)
    )
    apt = AptRoot("arm64", [flat(archive), safe])

    with pytest.raises(ProgramError, match=r"bookworm-security: .*, name another --mirror 'URL"):
        apt.resolve(["init"])

    names = ["init=1:2.0-1", "libinit=2.0-1"]  # what a lock says is right, whatever is newest
    assert len(apt.resolve(names, is_exact=True)) == 2


def forget_time() -> None:
    for stamp in cache_folder().glob("apt/*/updated"):
        stamp.unlink()


def test_security_updates_that_alone_fail_to_come_are_an_error_despite_an_older_list(
    archive: Path,
) -> None:
    text = (archive / "Packages").read_text()
    both = [suite_in(archive, name, text) for name in ("bookworm", "bookworm-security")]
    AptRoot("arm64", both).resolve(["init"])
    forget_time()
    security = archive / "dists" / "bookworm-security"
    security.rename(archive / "away")

    for _ in range(2):  # it is asked for again
        with pytest.raises(ProgramError, match=r"bookworm-security: .*; try again later"):
            AptRoot("arm64", both).resolve(["init"])

    (archive / "away").rename(security)
    assert len(AptRoot("arm64", both).resolve(["init"])) == 2


def test_without_any_archive_older_lists_serve(archive: Path) -> None:
    text = (archive / "Packages").read_text()
    both = [suite_in(archive, name, text) for name in ("bookworm", "bookworm-security")]
    AptRoot("arm64", both).resolve(["init"])
    forget_time()
    (archive / "dists").rename(archive / "away")
    said: list[str] = []

    packages = AptRoot("arm64", both, say=said.append).resolve(["init"])

    assert len(packages) == 2
    assert any(text.startswith("warning: only some of the package lists") for text in said)


def test_without_any_archive_older_lists_do_not_serve_a_locked_build(archive: Path) -> None:
    suite = suite_in(archive, "bookworm", (archive / "Packages").read_text())
    AptRoot("arm64", [suite]).resolve(["init"])
    forget_time()
    (archive / "dists").rename(archive / "away")

    with pytest.raises(ProgramError, match=r"--locked: a list of packages cannot be fetched: .*"):
        AptRoot("arm64", [suite], is_strict=True).resolve(["init=1:2.0-1"], is_exact=True)


def test_an_unsigned_archive_that_the_machine_trusts_is_refused_unless_the_user_says_so(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "host_archives", lambda suite: (flat(archive),))
    monkeypatch.setattr(sources, "mirrors_file", lambda: archive / "none")
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    said: list[str] = []

    with pytest.raises(ProgramError, match=r"does not have a Release file.*--trust-unsigned"):
        apt_for("arm64", "bookworm", ANY_SOURCE).resolve(["init"])

    trusting = Source(trusts_unsigned=True)
    assert len(apt_for("arm64", "bookworm", trusting, say=said.append).resolve(["init"])) == 2
    assert any("warning: by the settings of this machine's apt" in each for each in said)
    assert "trusted=yes of ./" in unsafe_parts("bookworm", trusting)
    assert "trusted=yes of ./" not in unsafe_parts("bookworm", ANY_SOURCE)


UNSIGNED = (
    'Acquire::AllowInsecureRepositories "1"',
    'acquire::allowweakrepositories "true"',
    'Acquire::gpgv::Options:: "--ignore-time-conflict"',
)
OLD = (
    'Acquire::Check-Valid-Until "false"',
    'acquire::check-valid-until "No"',
    'Acquire::check-date "0"',
    'Acquire::Min-ValidTime "99999999"',
    'acquire::min-validtime::Debian "99999999"',
    'Acquire::Max-FutureTime "99999999"',
)


def test_settings_for_unsigned_and_old_lists_are_told_from_others() -> None:
    others = (
        'Acquire::AllowWeakRepositories "0";\n'
        'Acquire::Check-Date "true";\n'
        'Acquire::gpgv "";\n'
        'Acquire::http::Proxy "http://127.0.0.1:3128";\n'
    )
    unsafe = (*UNSIGNED, *OLD)

    assert unsafe_settings("".join(f"{each};\n" for each in unsafe) + others) == unsafe


@pytest.mark.parametrize("setting", [*UNSIGNED, *OLD])
def test_a_setting_of_the_machine_for_unsigned_lists_is_dropped_and_one_for_old_lists_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    (tmp_path / "apt.conf").write_text(f'{setting};\nAcquire::http::Timeout "7";\n', "utf-8")
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    name = setting.partition(" ")[0].casefold()

    settings = host_settings()

    assert 'Acquire::http::Timeout "7";' in settings
    told = {each.partition(" ")[0].casefold() for each in unsafe_settings(settings)}
    assert (name in told) == (setting in OLD)


def test_a_list_that_could_not_be_fetched_is_asked_for_again(archive: Path) -> None:
    said: list[str] = []
    more = Archive(
        uris=(f"file:{archive}/none",), suites=("bookworm-updates",), components=("main",)
    )

    for _ in range(2):
        AptRoot("arm64", [flat(archive), more], say=said.append).resolve(["init"])

    warnings = [text for text in said if "only some of the package lists" in text]
    assert len(warnings) == 2


@pytest.mark.parametrize("left", [b"", b"Package: other\nVersion: 1\nArchitecture: arm64\n\n"])
def test_a_list_that_a_power_cut_has_damaged_is_fetched_again(archive: Path, left: bytes) -> None:
    copied = replace(flat(archive), uris=(f"copy:{archive}",))
    apt = AptRoot("arm64", [copied])
    apt.resolve(["init"])
    [packages] = (apt.folder / "lists").glob("*_Packages")
    packages.write_bytes(left)
    for path in apt.folder.glob("*.bin"):
        path.unlink()

    found = AptRoot("arm64", [copied]).resolve(["init"])

    assert [each.name for each in found] == ["init", "libinit"]


def test_lists_that_are_as_they_were_left_are_not_fetched_again(archive: Path) -> None:
    copied = replace(flat(archive), uris=(f"copy:{archive}",))
    AptRoot("arm64", [copied]).resolve(["init"])
    said: list[str] = []

    AptRoot("arm64", [copied], say=said.append).resolve(["init"])

    assert said == []


def test_the_machines_own_lists_do_not_get_it(archive: Path) -> None:
    root(archive).resolve(["init"])

    lists = Path("/var/lib/apt/lists")
    assert not list(lists.glob(f"*{archive.parent.name}*"))


def test_hooks_of_the_machine_are_not_run(archive: Path) -> None:
    text = (root(archive).folder / "apt.conf").read_text("utf-8")

    assert "Invoke" not in text
    assert 'Dir::Etc::parts "/dev/null";' in text
