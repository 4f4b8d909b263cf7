# SPDX-License-Identifier: Apache-2.0
"""The choice of packages, with a lock and without, against an archive in a folder."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, ProgramError
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package, package_file
from ota_image.packages.choice import (
    Chosen,
    choose,
    choose_alone,
    newest_alone,
    update_lock,
)
from ota_image.packages.lock import Lock, lock_file, lock_text, newest_locked, read_lock
from ota_image.packages.recipe import Recipe, load_recipes
from tests.conftest import requires_program
from tests.unit.image.packages.archive import entry, root, suite_in

pytestmark = requires_program("/usr/lib/apt/apt-helper", package="apt")

KERNEL = "linux-image-arm64"


@pytest.fixture
def recipe(archive: Path, tmp_path: Path) -> Recipe:
    """A recipe for the archive, which has a kernel too."""
    with (archive / "Packages").open("a") as file:
        file.write(entry(archive, KERNEL, "6.1", "Depends: linux-image-6.1, initramfs-tools"))
        file.write(entry(archive, "linux-image-6.1", "6.1-1", "Depends: libinit"))
        file.write(entry(archive, "initramfs-tools", "1"))
    return Recipe(
        path=tmp_path / "tiny.yaml",
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


class Builder:
    """Chooses from the archive, and remembers the messages."""

    def __init__(self, archive: Path, recipe: Recipe) -> None:
        self.archive = archive
        self.recipe = recipe
        self.said: list[str] = []

    def choose(self, *, is_locked: bool = False) -> Chosen:
        """The packages for arm64."""
        return choose(
            self.recipe,
            "arm64",
            KERNEL,
            apt=lambda: root(self.archive),
            is_locked=is_locked,
            say=self.said.append,
        )

    def renew(self, name: str, old: str, new: str) -> None:
        """Replace a version in the archive by another one."""
        text = (self.archive / "Packages").read_text("utf-8")
        begin = text.index(f"Package: {name}\nVersion: {old}\n")
        end = text.index("\n\n", begin) + 2
        depends = [line for line in text[begin:end].splitlines() if line.startswith("Depends")]
        newer = entry(self.archive, name, new, *depends)
        (self.archive / "Packages").write_text(text[:begin] + newer + text[end:], "utf-8")
        for stamp in self.archive.parent.glob("cache/**/updated"):
            stamp.unlink()

    def add(self, name: str, version: str, *more: str) -> None:
        """Have the archive have one more package, or another version of one."""
        with (self.archive / "Packages").open("a", encoding="utf-8") as file:
            file.write(entry(self.archive, name, version, *more))
        for stamp in self.archive.parent.glob("cache/**/updated"):
            stamp.unlink()

    def remove(self, name: str, version: str) -> None:
        """Have the archive lose a version."""
        text = (self.archive / "Packages").read_text("utf-8")
        kept = [
            each
            for each in text.split("\n\n")
            if not each.startswith(f"Package: {name}\nVersion: {version}\n")
        ]
        (self.archive / "Packages").write_text("\n\n".join(kept), "utf-8")
        for stamp in self.archive.parent.glob("cache/**/updated"):
            stamp.unlink()

    def warnings(self) -> list[str]:
        return [text for text in self.said if text.startswith("warning")]


@pytest.fixture
def builder(archive: Path, recipe: Recipe) -> Builder:
    """A choice that has written the lock."""
    update_lock(recipe, "arm64", [KERNEL], root(archive))
    return Builder(archive, recipe)


def names(packages: tuple[Package, ...]) -> list[str]:
    return [f"{package.name} {package.version}" for package in packages]


def test_of_a_kernel_only_its_own_packages_are_taken(builder: Builder) -> None:
    chosen = builder.choose()

    assert names(chosen.image) == ["init 1:2.0-1", "libinit 2.0-1"]
    assert names(chosen.kernel) == ["linux-image-6.1 6.1-1", "linux-image-arm64 6.1"]
    assert builder.warnings() == []
    assert all(package_file(each).exists() for each in (*chosen.image, *chosen.kernel))


def test_what_is_in_the_cache_needs_no_archive(builder: Builder) -> None:
    first = builder.choose()
    (builder.archive / "Packages").unlink()

    second = choose(
        builder.recipe, "arm64", KERNEL, apt=lambda: pytest.fail("asked"), is_locked=True, say=print
    )

    assert names(second.image) == names(first.image)


def test_a_version_that_is_gone_is_replaced_with_a_message(builder: Builder) -> None:
    builder.renew("libinit", "2.0-1", "2.0-2")

    chosen = builder.choose()

    assert names(chosen.image) == ["init 1:2.0-1", "libinit 2.0-2"]
    assert builder.warnings() == [
        "warning: the archive no longer has libinit 2.0-1; 2.0-2 takes its place"
    ]


def test_the_kernel_is_the_one_that_the_newer_meta_package_depends_on(builder: Builder) -> None:
    builder.add("linux-image-6.2", "6.2-1", "Depends: libinit")
    builder.add(KERNEL, "6.2", "Depends: linux-image-6.2, initramfs-tools")
    builder.remove(KERNEL, "6.1")

    chosen = builder.choose()

    assert names(chosen.kernel) == ["linux-image-6.2 6.2-1", "linux-image-arm64 6.2"]
    assert builder.warnings() == [
        "warning: linux-image-6.1 6.1-1 is left out, since nothing depends on it any more",
        "warning: the archive no longer has linux-image-arm64 6.1; 6.2 takes its place",
        "warning: linux-image-6.2 6.2-1 is new, since another package depends on it",
    ]


def test_a_library_that_nothing_depends_on_any_more_leaves_the_image(builder: Builder) -> None:
    builder.add("libinit2", "3.0-1")
    builder.add("init", "1:2.1-1", "Depends: libinit2")
    builder.remove("init", "1:2.0-1")

    chosen = builder.choose()

    assert names(chosen.image) == ["init 1:2.1-1", "libinit2 3.0-1"]


def test_what_is_not_gone_stays_at_the_version_of_the_lock(builder: Builder) -> None:
    builder.add("libinit", "2.0-2")
    builder.renew("init", "1:2.0-1", "1:2.0-2")

    chosen = builder.choose()

    assert names(chosen.image) == ["init 1:2.0-2", "libinit 2.0-1"]


def test_two_kernels_in_a_lock_are_an_error(builder: Builder) -> None:
    builder.add("linux-image-6.0", "6.0-1")
    file = lock_file(builder.recipe, "arm64")
    lock = read_lock(file)
    assert lock is not None
    older = dataclasses.replace(lock.groups[KERNEL][0], name="linux-image-6.0", version="6.0-1")
    groups = {**lock.groups, KERNEL: (older, *lock.groups[KERNEL])}
    file.write_text(lock_text(Lock(lock.choice, groups)))

    with pytest.raises(
        ImageError, match=r"\[linux-image-arm64\] has 2 kernels, linux-image-6.0 and"
    ):
        builder.choose()


def test_an_archive_that_is_older_than_the_lock_is_refused(builder: Builder) -> None:
    builder.renew("libinit", "2.0-1", "2.0-1~rc1")

    with pytest.raises(ImageError) as raised:
        builder.choose()

    assert "libinit 2.0-1~rc1, which is older than the lock's 2.0-1" in str(raised.value)
    assert "--mirror 'URL bookworm-security'" in str(raised.value)


def test_a_version_that_is_gone_fails_a_locked_build(builder: Builder) -> None:
    builder.renew("libinit", "2.0-1", "2.0-2")

    with pytest.raises(ImageError, match=r"the archive no longer has libinit 2.0-1; --update-lock"):
        builder.choose(is_locked=True)


@pytest.mark.parametrize("is_locked", [False, True])
def test_without_a_network_lists_that_are_older_than_the_lock_do_not_speak_for_the_archive(
    builder: Builder, archive: Path, is_locked: bool
) -> None:
    suite = suite_in(archive, "bookworm", (archive / "Packages").read_text("utf-8"))
    AptRoot("arm64", [suite]).resolve(["init"])
    builder.renew("libinit", "2.0-1", "2.0-2")
    update_lock(builder.recipe, "arm64", [KERNEL], root(archive))
    (archive / "dists").rename(archive / "away")

    with pytest.raises(ProgramError) as raised:
        choose(
            builder.recipe,
            "arm64",
            KERNEL,
            apt=lambda: AptRoot("arm64", [suite]),
            is_locked=is_locked,
            say=print,
        )

    assert "libinit 2.0-2: not in the cache, nor in the lists of packages" in str(raised.value)
    assert str(raised.value).endswith("; try again with a network")


def test_another_file_of_the_same_version_is_refused(builder: Builder, archive: Path) -> None:
    file = lock_file(builder.recipe, "arm64")
    lock = read_lock(file)
    assert lock is not None
    forged = [dataclasses.replace(each, sha256="0" * 64) for each in lock.groups["image"]]
    file.write_text(lock_text(Lock(lock.choice, {**lock.groups, "image": tuple(forged)})))

    with pytest.raises(ImageError, match=r"init 1:2.0-1: the archive has another file"):
        builder.choose()


def test_a_lock_of_another_recipe_is_not_used(builder: Builder) -> None:
    builder.recipe = dataclasses.replace(builder.recipe, packages=("manual",))

    chosen = builder.choose()

    assert names(chosen.image) == ["manual 1"]
    assert "was made for another recipe; taking the newest packages" in builder.warnings()[0]
    with pytest.raises(ImageError, match="was made for another recipe; run --update-lock"):
        builder.choose(is_locked=True)


def test_packages_may_be_left_out(builder: Builder) -> None:
    builder.recipe = dataclasses.replace(builder.recipe, without=("libinit",))

    assert names(builder.choose().image) == ["init 1:2.0-1"]


def test_choosing_packages_names_what_is_left_out_in_vain(archive: Path, recipe: Recipe) -> None:
    recipe = dataclasses.replace(recipe, without=("libinit", "libold"))
    said: list[str] = []

    update_lock(recipe, "arm64", [KERNEL], root(archive), say=said.append)

    [text] = said
    assert text.startswith("warning: without: libold: no package needs it here; leave it out")


def test_a_package_alone_is_of_the_lock_and_comes_without_its_dependencies(
    archive: Path, recipe: Recipe
) -> None:
    firmware = newest_alone("init", root(archive))
    update_lock(recipe, "arm64", [KERNEL], root(archive), others={"init": (firmware,)})
    builder = Builder(archive, recipe)
    builder.renew("init", "1:2.0-1", "1:2.0-2")

    def chosen(*, is_locked: bool) -> Package:
        return choose_alone(
            "init",
            recipe,
            "arm64",
            apt=lambda: root(archive),
            is_locked=is_locked,
            say=builder.said.append,
        )

    assert chosen(is_locked=False).version == "1:2.0-2"
    assert builder.warnings() == [
        "warning: the archive no longer has init 1:2.0-1; 1:2.0-2 takes its place"
    ]
    with pytest.raises(ImageError, match=r"no longer has init 1:2.0-1; --update-lock takes"):
        chosen(is_locked=True)


@pytest.mark.parametrize(("days", "warnings"), [(29, 0), (93, 1)])
def test_an_old_lock_says_its_age(builder: Builder, days: int, warnings: int) -> None:
    file = lock_file(builder.recipe, "arm64")
    lock = read_lock(file)
    assert lock
    made = datetime.now(UTC).date() - timedelta(days=days)
    file.write_text(lock_text(dataclasses.replace(lock, made=made)))

    builder.choose()

    assert len(builder.warnings()) == warnings
    assert all(f"is {days} days old; --update-lock takes" in text for text in builder.warnings())


def test_without_a_suite_the_newest_that_is_locked_is_built(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "schema: 1\nname: tiny\nsummary: tiny\npackages: [init]\n"
        "suites: {bullseye: {}, bookworm: {}, trixie: {}}\n"
    )
    recipes = load_recipes(tmp_path / "tiny.yaml")
    none = newest_locked(recipes, "arm64")
    for recipe in recipes[:2]:
        lock_file(recipe, "arm64").touch()

    assert none.suite == "trixie"
    assert newest_locked(recipes, "arm64").suite == "bookworm"
    assert newest_locked(recipes, "armhf").suite == "trixie"


@pytest.mark.parametrize("line", ["busybox 1.0", "made today", "made 2026-02-30"])
def test_a_line_that_is_not_a_lock_entry_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tiny.arm64.lock"
    file.write_text(f"choice 1\n\n[image]\n{line}\n")

    with pytest.raises(ImageError, match=rf"tiny.arm64.lock:4: '{line}' is not a lock entry"):
        read_lock(file)


def test_a_lock_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tiny.arm64.lock"
    file.write_bytes(b"choice 1\n# f\xfcr mich\n")

    with pytest.raises(ArtifactError, match=r"tiny.arm64.lock:2: is not UTF-8"):
        read_lock(file)
