# SPDX-License-Identifier: Apache-2.0
"""Recipes: an error has file, line, field and remedy."""

from pathlib import Path

import pytest

from ota_board.errors import BoardError
from ota_board.load import load_board
from ota_image.errors import ImageError
from ota_image.firmware.packages import firmware_packages
from ota_image.packages.lock import lock_file, read_lock
from ota_image.packages.recipe import (
    Recipe,
    User,
    find_recipe,
    load_recipe,
    load_recipes,
    recipe_folders,
)
from tests.house.tree import ROOT

IMAGES = sorted((ROOT / "images").glob("*.yaml"))
RECIPE = """\
schema: 1
name: tiny
summary: nearly nothing
suites: {bookworm: {}}
packages: [busybox-static]
without: [mawk]
leave_out: [/usr/share/doc]
modules: [vfat]
overlays: [over]
login: keys
users:
  - {name: ada, uid: 1000}
"""


def recipe(folder: Path, old: str = "", new: str = "") -> Recipe:
    """The recipe with one text replaced."""
    (folder / "over").mkdir(exist_ok=True)
    assert old in RECIPE
    (folder / "tiny.yaml").write_text(RECIPE.replace(old, new, 1), "utf-8")
    return load_recipe(folder / "tiny.yaml")


def test_a_recipe_is_read(tmp_path: Path) -> None:
    found = recipe(tmp_path)

    assert found.packages == ("busybox-static",)
    assert found.overlays == (tmp_path / "over",)
    assert found.users == (User("ada", 1000),)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("schema: 1", "schema: 2", r"yaml:1: schema: must be 1"),
        ("name: tiny", "name: Tiny!", r"yaml:2: name: 'Tiny!' must be lower-case"),
        (
            "[busybox-static]",
            "[Busybox]",
            r"yaml:5: packages: 'Busybox' is not the name of a Debian",
        ),
        (
            "suites: {bookworm: {}}",
            "needs: {slots: 1 MiB}",
            r"suites: must have at least one suite",
        ),
        ("{bookworm: {}}", "{Bookworm: {}}", r"yaml:4: suites: 'Bookworm' is not the code name"),
        ("{bookworm: {}}", "bookworm", r"yaml:4: suites: must be a mapping of names to mappings"),
        ("{bookworm: {}}", "{x: {links: []}}", r"yaml:4: suites.x.links: unknown field; known:"),
        ("[busybox-static]", "[]", r"yaml:5: packages: must have at least one entry"),
        ("[/usr/share/doc]", "[doc]", r"yaml:7: leave_out: 'doc' must be a path from '/'"),
        ("[/usr/share/doc]", "['/*']", r"yaml:7: leave_out: '/\*' must be a path from '/'"),
        ("overlays: [over]", "overlays: [no]", r"yaml:9: overlays: \S+/no does not exist$"),
        ("overlays: [over]", "overlays: [overlay/common]", r"; copy \S+/overlay/common there$"),
        (
            "login: keys",
            "install: pip",
            r"yaml:10: install: 'pip' is not one of unpack, mmdebstrap",
        ),
        (
            "login: keys",
            "install: mmdebstrap",
            r"yaml:6: without: mmdebstrap takes every dependency",
        ),
        ("login: keys", "needs: {slots: 1 GB}", r"yaml:10: needs.slots: '1 GB' is not a size"),
        ("login: keys", "login: yes", r"yaml:10: login: 'yes' is not one of keys, open"),
        ("name: ada", "name: root", r"yaml:12: users\[0\].name: 'root' must be"),
        ("uid: 1000", "uid: 0", r"yaml:12: users\[0\].uid: 0 is not a user's"),
        ("modules: [vfat]", "modulse: [vfat]", r"yaml:8: modulse: unknown field; known:"),
    ],
)
def test_an_error_in_a_recipe_is_reported_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    with pytest.raises(BoardError, match=error):
        recipe(tmp_path, old, new)


def test_a_suite_adds_to_the_lists_of_the_recipe(tmp_path: Path) -> None:
    suites = (
        "suites:\n  bookworm: {}\n  trixie: {packages: [systemd], without: [more], leave_out: [/x]}"
    )
    recipe(tmp_path, "suites: {bookworm: {}}", suites)

    old, new = load_recipes(tmp_path / "tiny.yaml")

    assert (old.suite, new.suite) == ("bookworm", "trixie")
    assert old.packages == ("busybox-static",)
    assert new.packages == ("busybox-static", "systemd")
    assert (new.without, new.leave_out) == (("mawk", "more"), ("/usr/share/doc", "/x"))
    assert load_recipe(tmp_path / "tiny.yaml") == new
    assert load_recipe(tmp_path / "tiny.yaml", "bookworm") == old
    with pytest.raises(ImageError, match=r"is not for sid, only for bookworm, trixie; choose"):
        load_recipe(tmp_path / "tiny.yaml", "sid")


def test_a_recipe_whose_scripts_run_adds_debians_essential_packages(
    tmp_path: Path,
) -> None:
    plain = recipe(tmp_path)
    scripts = recipe(tmp_path, "without: [mawk]", "install: mmdebstrap\nneeds: {slots: 256 MiB}")

    assert scripts.wanted == ("busybox-static", "?essential")
    assert scripts.slot == 256 << 20
    assert (plain.wanted, plain.slot) == (("busybox-static",), 0)
    assert scripts.choice != plain.choice


def test_a_recipe_is_found_by_its_name() -> None:
    assert find_recipe("minimal", recipe_folders()).name == "minimal.yaml"


def test_an_unknown_image_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").touch()

    with pytest.raises(ImageError, match=r"huge: no such image in .*; there are: tiny"):
        find_recipe("huge", [tmp_path])


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_every_recipe_of_ours_is_right_and_named_as_its_file(path: Path) -> None:
    found = load_recipe(path)

    assert found.name == path.stem
    assert found.summary


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("arch", ["arm64", "armhf", "amd64"])
def test_every_lock_of_ours_is_of_its_recipe_and_has_kernels_firmware_and_sources(
    path: Path, suite: str, arch: str
) -> None:
    found = load_recipe(path, suite)
    lock = read_lock(lock_file(found, arch))

    assert lock is not None
    assert lock.choice == found.choice, "run ota-image rootfs --update-lock"
    names = {package.name for package in lock.groups["image"]}
    assert set(found.packages) <= names
    assert not names & set(found.without)
    boards = [load_board(each.parent) for each in ROOT.glob("boards/*/board.yaml")]
    for board in (each for each in boards if each.arch == arch):
        own = {board.kernel.package, *firmware_packages(board)}
        if board.bootloader.kind == "u-boot":
            own.add("source u-boot")
        assert own <= set(lock.groups)
    assert lock.made
