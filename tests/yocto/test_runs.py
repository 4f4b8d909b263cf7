# SPDX-License-Identifier: Apache-2.0
"""Results with BitBake are kept as long as they are valid; the page has a row for each of them."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.yocto import runs
from tests.yocto.bitbake import MACHINES
from tests.yocto.runs import STEPS, Shown

PAGE = ROOT / "docs" / "reference" / "yocto-runs.md"
DRY = Shown("qemu-arm64", "wrynose", "dry-run")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A layer of one recipe and a page, an empty cache, and no checkouts."""
    recipe = tmp_path / "meta-ota" / "recipes-ota" / "a_1.0.bb"
    recipe.parent.mkdir(parents=True)
    recipe.write_text('SUMMARY = "a"\n')
    (tmp_path / "meta-ota" / "README.md").write_text("a\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    monkeypatch.setattr(runs, "OE_ROOT", tmp_path / "none")
    return tmp_path


def test_what_was_shown_is_known_the_next_time(tree: Path) -> None:
    assert runs.kept(DRY) is None

    runs.keep(DRY, 12.34, begun=runs.content("dry-run"))

    assert runs.kept(DRY) == 12.3
    assert runs.kept(Shown("qemu-arm64", "scarthgap", "dry-run")) is None
    assert runs.kept(Shown("qemu-arm64", "wrynose", "parsed")) is None


def test_a_changed_recipe_is_shown_again_and_a_changed_page_is_not(tree: Path) -> None:
    runs.keep(DRY, 1.0, begun=runs.content("dry-run"))

    (tree / "meta-ota" / "README.md").write_text("b\n")
    assert runs.kept(DRY) == 1.0

    (tree / "meta-ota" / "recipes-ota" / "a_1.0.bb").write_text('SUMMARY = "b"\n')
    assert runs.kept(DRY) is None


def test_what_was_changed_while_it_ran_is_not_kept(tree: Path) -> None:
    begun = runs.content("dry-run")
    (tree / "meta-ota" / "recipes-ota" / "a_1.0.bb").write_text('SUMMARY = "b"\n')

    runs.keep(DRY, 1.0, begun=begun)

    assert runs.kept(DRY) is None


def test_what_cannot_be_shown_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match="tested: is not one of parsed, dry-run"):
        runs.keep(Shown("qemu-arm64", "wrynose", "tested"), 1.0, begun="")


def test_the_page_says_of_every_machine_and_release_what_was_shown() -> None:
    table = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]

    (heads,) = [row for row in rows if row[0] == "machine"]
    assert tuple(heads[2:]) == STEPS
    for machine in MACHINES.values():
        for release in ("scarthgap", "wrynose"):
            (row,) = [row for row in rows if row[:2] == [machine, release]]
            assert all(re.fullmatch(r"not run|not by us|yes, \d+ s", cell) for cell in row[2:])
