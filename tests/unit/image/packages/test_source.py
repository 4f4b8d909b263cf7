# SPDX-License-Identifier: Apache-2.0
"""Source packages of a lock, from an archive in a folder that lacks the .dsc, as mirrors may."""

import hashlib
import tarfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.packages import reach
from ota_image.packages.apt import Package
from ota_image.packages.lock import Lock, lock_file, lock_text
from ota_image.packages.recipe import Recipe, load_recipe
from ota_image.packages.source import locked_source, newest_source
from ota_image.packages.sources import ANY_SOURCE, Source
from tests.conftest import requires_program
from tests.unit.image.packages.archive import flat

pytestmark = [
    requires_program("/usr/lib/apt/apt-helper", package="apt"),
    requires_program("dpkg-source", package="dpkg-dev"),
]

RECIPE = "schema: 1\nname: tiny\nsummary: tiny\nsuites: {trixie: {}}\npackages: [init]\n"
DSC = "ab" * 32


@pytest.fixture
def recipe(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe with a lock that has the source package boot 1-1, which the archive has."""
    monkeypatch.setattr(reach, "archives", lambda *_, **__: (flat(archive),))
    offer(archive, "1-1")
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    made = load_recipe(tmp_path / "tiny.yaml")
    write_lock(made, newest_source("boot", "trixie", ANY_SOURCE, print))
    return made


def offer(archive: Path, version: str, digest: str = DSC) -> None:
    """Have the archive offer a source package, of this version only."""
    file = archive / f"boot_{version}.tar.xz"
    (archive / "version").write_text(f"{version}\n")
    with tarfile.open(file, "w:xz") as tar:
        for name in ("version", "debian/source/format"):
            tar.add(archive / "version", f"boot-{version}/{name}")
    (archive / "version").unlink()
    data = file.read_bytes()
    name, size = file.name, len(data)
    lines = (
        *("Package: boot", "Format: 3.0 (native)", "Binary: boot", "Architecture: any"),
        *(f"Version: {version}", "Maintainer: Nobody <nobody@example.org>", "Directory: ."),
        *("Files:", f" {'cd' * 16} 9 boot_{version}.dsc"),
        f" {hashlib.md5(data, usedforsecurity=False).hexdigest()} {size} {name}",
        *("Checksums-Sha256:", f" {digest} 9 boot_{version}.dsc"),
        f" {hashlib.sha256(data).hexdigest()} {size} {name}",
    )
    (archive / "Sources").write_text("\n".join(lines) + "\n\n")
    for stamp in archive.parent.glob("cache/**/updated"):
        stamp.unlink()


def write_lock(recipe: Recipe, package: Package) -> None:
    lock = Lock(recipe.choice, {"image": (), "source boot": (package,)}, date(2026, 11, 30))
    lock_file(recipe, "arm64").write_text(lock_text(lock))


def test_the_source_of_the_lock_is_unpacked_and_then_in_the_cache(
    recipe: Recipe, archive: Path
) -> None:
    package, tree = locked_source("boot", recipe, "arm64", ANY_SOURCE, print)
    (archive / "Sources").unlink()

    again = locked_source("boot", recipe, "arm64", Source(is_locked=True), pytest.fail)

    assert (package.version, package.sha256) == ("1-1", DSC)
    assert (tree / "version").read_text() == "1-1\n"
    assert again == (package, tree)


def test_a_source_that_is_gone_is_replaced_with_a_warning_and_fails_a_locked_build(
    recipe: Recipe, archive: Path
) -> None:
    offer(archive, "1-2", "cd" * 32)
    said: list[str] = []

    package, tree = locked_source("boot", recipe, "arm64", ANY_SOURCE, said.append)

    assert package.version == "1-2"
    assert (tree / "version").read_text() == "1-2\n"
    assert any("no longer has the source package boot 1-1; 1-2 takes" in each for each in said)
    with pytest.raises(ImageError, match="no longer has boot 1-1; --update-lock takes the newest"):
        locked_source("boot", recipe, "arm64", Source(is_locked=True), print)


def test_a_source_that_is_newer_than_lists_that_are_fresh_is_found(
    recipe: Recipe, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = replace(flat(archive), uris=(f"copy:{archive}",))  # of file: apt makes no list
    monkeypatch.setattr(reach, "archives", lambda *_, **__: (copied,))
    newest_source("boot", "trixie", ANY_SOURCE, print)
    stamps = list(archive.parent.glob("cache/**/updated"))
    offer(archive, "1-2")
    for stamp in stamps:
        stamp.touch()
    newer = Package(name="boot", version="1-2", arch="source", sha256=DSC)
    write_lock(recipe, newer)

    package, _ = locked_source("boot", recipe, "arm64", Source(is_locked=True), print)

    assert stamps
    assert package == newer


def test_an_older_source_than_the_lock_has_is_refused(recipe: Recipe, archive: Path) -> None:
    offer(archive, "0-9", "cd" * 32)

    with pytest.raises(ImageError, match="boot 0-9, which is older than the lock's 1-1"):
        locked_source("boot", recipe, "arm64", ANY_SOURCE, print)


def test_another_source_of_the_same_version_is_refused(recipe: Recipe, archive: Path) -> None:
    offer(archive, "1-1", "cd" * 32)

    with pytest.raises(ImageError, match="another source package with this version"):
        locked_source("boot", recipe, "arm64", ANY_SOURCE, print)


def test_without_a_lock_the_newest_is_taken_and_locked_fails(recipe: Recipe) -> None:
    lock_file(recipe, "arm64").unlink()
    said: list[str] = []

    package, _ = locked_source("boot", recipe, "arm64", ANY_SOURCE, said.append)

    assert package.version == "1-1"
    assert "tiny.trixie.arm64.lock: has no section [source boot]; taking the newest" in said[0]
    with pytest.raises(ImageError, match=r"has no section \[source boot\]; run --update-lock"):
        locked_source("boot", recipe, "arm64", Source(is_locked=True), print)
