# SPDX-License-Identifier: Apache-2.0
"""Packages installed with their scripts: checks in advance, and the same bytes each time."""

import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.image import workplace
from ota_artifact.run import run
from ota_image.errors import ImageError, WorldError
from ota_image.packages.apt import AptRoot, Package, digest_of, package_file
from ota_image.packages.choice import choose
from ota_image.packages.deb import built_at
from ota_image.packages.recipe import Recipe, load_recipe
from ota_image.packages.sources import archives
from ota_image.rootfs.installed import (
    _steps,
    install,
    installed_packages,
    make_archive,
    time_of,
)
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = [
    requires_program("mmdebstrap", package="mmdebstrap"),
    requires_program("dpkg-deb", package="dpkg"),
    requires_program("dpkg-scanpackages", package="dpkg-dev"),
]

RECIPE = load_recipe(ROOT / "images" / "debian.yaml")
CPU_OF_NOBODY = 0xFFFE
KEPT = "SOURCE_DATE_EPOCH=1700000000"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "ota-kit" / "packages").mkdir(parents=True)
    return tmp_path


def package(folder: Path, name: str, files: dict[str, bytes]) -> Package:
    """A package with a few files, in the cache."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: nobody\n"
    (tree / "DEBIAN" / "control").write_text(f"{control}Description: nothing\n")
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    file = folder / f"{name}.deb"
    run(("env", KEPT, "dpkg-deb", "--build", "-Zxz", tree, file), timeout=30)
    made = Package(name=name, version="1", arch="arm64", sha256=digest_of(file))
    shutil.copyfile(file, package_file(made))
    return made


def program(machine: int) -> bytes:
    """The head of a program of some CPU. Source: the ELF specification, "ELF Header"."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    return ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)


@pytest.mark.parametrize("path", ["bin/busybox", "usr/bin/busybox"])  # of Debian 12, and of 13
def test_a_cpu_whose_programs_do_not_run_here_is_reported_with_a_remedy(
    cache: Path, path: str
) -> None:
    busybox = package(cache, "busybox-static", {path: program(CPU_OF_NOBODY)})

    with pytest.raises(WorldError) as raised:
        install(RECIPE, [busybox], "arm64", print)

    assert "cannot run programs for arm64" in str(raised.value)
    assert "install qemu-user-static" in str(raised.value)
    assert "cat /usr/lib/binfmt.d/qemu-aarch64.conf" in str(raised.value)
    assert list((cache / "cache" / "ota-kit" / "installed").iterdir()) == []


def test_packages_without_a_program_to_try_are_refused(cache: Path) -> None:
    other = package(cache, "other", {"bin/true": b""})

    with pytest.raises(ImageError, match="busybox-static: is not among the packages"):
        install(RECIPE, [other], "arm64", print)


def test_a_user_without_the_programs_for_roots_files_is_told_before_it_takes_minutes(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(shutil.which("true") or "").read_bytes()
    busybox = package(cache, "busybox-static", {"bin/busybox": here})
    (cache / "bin").mkdir()
    (cache / "bin" / "mmdebstrap").symlink_to(shutil.which("mmdebstrap") or "")
    monkeypatch.setenv("PATH", str(cache / "bin"))
    monkeypatch.setattr(workplace, "_ADMINISTRATION", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said: list[str] = []

    with pytest.raises(ProgramError, match="newuidmap: not found; install the package uidmap"):
        install(RECIPE, [busybox], "arm64", said.append)

    assert said == []


def test_steps_of_mmdebstrap_are_passed_on() -> None:
    said: list[str] = []
    hear = _steps(said.append)

    for piece in (b"I: inst", b"alling...\nI: in 2 s\nW: other...\nI: writing...\n"):
        hear(piece)

    assert said == ["mmdebstrap: installing", "mmdebstrap: writing"]


@pytest.mark.boot
def test_the_output_of_a_failing_script_is_in_the_error(cache: Path) -> None:
    here = Path(shutil.which("true") or "").read_bytes()
    busybox = package(cache, "busybox-static", {"bin/busybox": here})

    with pytest.raises(ProgramError, match="mmdebstrap"):
        install(RECIPE, [busybox], "arm64", print)


def test_the_user_as_whom_apt_reads_the_archive_may_read_it(cache: Path) -> None:
    made = package(cache, "other", {"bin/true": b""})

    before = os.umask(0o077)
    try:
        make_archive([made], cache / "archive")
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in cache.glob("archive/*")}
    assert (cache / "archive").stat().st_mode & 0o777 == 0o755
    assert modes == {"Packages": 0o644, "other_arm64.deb": 0o644}


def test_the_time_of_files_is_when_the_newest_package_was_built(cache: Path) -> None:
    made = package(cache, "other", {"bin/true": b""})

    assert time_of([made]) == built_at(package_file(made)) == 1_700_000_000


def test_what_is_installed_is_what_dpkg_says() -> None:
    status = """\
Package: dash
Status: install ok installed
Version: 1

Package: gone
Status: deinstall ok config-files
Version: 2

Package: libc6
Status: install ok installed
Architecture: arm64
"""

    assert installed_packages(status) == {"dash", "libc6"}


def test_what_is_not_a_package_has_no_time(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(b"PK" * 100)

    with pytest.raises(ImageError, match="is not a Debian package"):
        built_at(tmp_path / "x.deb")


@pytest.mark.full
@pytest.mark.timeout(1800)  # [s] two installations of Debian
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="would be emulated: takes too long")
def test_the_same_packages_installed_twice_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = chosen(RECIPE, "amd64")
    made = []
    for name, umask in (("first", 0o022), ("second", 0o077)):
        kept = [package_file(each) for each in packages]
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        folder = tmp_path / name / "ota-kit" / "packages"
        folder.mkdir(parents=True)
        for path in kept:
            shutil.copyfile(path, folder / path.name)
        before = os.umask(umask)
        try:
            made.append(digest_of(install(RECIPE, packages, "amd64", print)))
        finally:
            os.umask(before)

    assert made[0] == made[1]


def chosen(recipe: Recipe, arch: str) -> Sequence[Package]:
    """The locked packages, in this machine's cache."""

    def apt() -> AptRoot:
        return AptRoot(arch, archives(recipe.suite))

    try:
        return choose(
            recipe, arch, "linux-image-cloud-amd64", apt=apt, is_locked=False, say=print
        ).image
    except (ProgramError, ImageError) as error:
        pytest.skip(f"no Debian archive here: {error}")
