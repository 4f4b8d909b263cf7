# SPDX-License-Identifier: Apache-2.0
"""A board's patches reach the trees of U-Boot that need them, and no other."""

from pathlib import Path

import pytest

from ota_image.errors import ImageError
from ota_image.firmware.patches import apply_patches, patches_of
from ota_image.firmware.u_boot import build_u_boot
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.unit.image.disk.small import quiet
from tests.unit.image.firmware.test_u_boot import BOARD, Use, use

pytestmark = requires_program("patch", package="patch")

__all__ = ["use"]

CHANGE = "--- a/Kconfig\n+++ b/Kconfig\n@@ -1 +1,2 @@\n one\n+two\n"
ADDITION = f"{CHANGE}--- /dev/null\n+++ b/drivers/new.c\n@@ -0,0 +1 @@\n+ours\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "drivers").mkdir(parents=True)
    (tree / "Kconfig").write_text("one\n")
    return tree


def patch(folder: Path, text: str) -> Path:
    path = folder / "0001-a.patch"
    path.write_text(f"Why it is needed.\n\nUpstream-Status: Pending\n---\n{text}")
    return path


def test_a_tree_that_lacks_what_a_patch_adds_gets_it_once(tree: Path, tmp_path: Path) -> None:
    patches = (patch(tmp_path, ADDITION),)

    apply_patches(patches, tree, "2023.01")
    apply_patches(patches, tree, "2023.01")

    assert (tree / "Kconfig").read_text() == "one\ntwo\n"
    assert (tree / "drivers/new.c").read_text() == "ours\n"


def test_a_change_that_a_tree_has_already_is_not_made_again(tree: Path, tmp_path: Path) -> None:
    (tree / "Kconfig").write_text("one\ntwo\n")

    apply_patches((patch(tmp_path, CHANGE),), tree, "2025.01")

    assert (tree / "Kconfig").read_text() == "one\ntwo\n"


def test_a_tree_with_a_driver_of_its_own_keeps_it(tree: Path, tmp_path: Path) -> None:
    (tree / "drivers/new.c").write_text("theirs\n")

    apply_patches((patch(tmp_path, ADDITION),), tree, "2025.01")

    assert (tree / "Kconfig").read_text() == "one\n"
    assert (tree / "drivers/new.c").read_text() == "theirs\n"


@pytest.mark.parametrize("text", ["three\n", ""])
def test_a_patch_that_does_not_fit_is_named_and_changes_nothing(
    tree: Path, tmp_path: Path, text: str
) -> None:
    (tree / "Kconfig").write_text(text)
    path = patch(tmp_path, ADDITION)

    with pytest.raises(ImageError) as raised:
        apply_patches((path,), tree, "2027.01")

    assert str(raised.value) == (
        f"{path}: does not apply to U-Boot 2027.01, which does not have it already; adapt it to"
        " that version, or delete it if the board does not need it"
    )
    assert (tree / "Kconfig").read_text() == text
    assert not (tree / "drivers/new.c").exists()


def test_a_patch_that_is_not_one_is_named(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "0001-a.patch"
    path.write_text("not a patch\n")

    with pytest.raises(ImageError, match=r"0001-a\.patch: does not apply"):
        apply_patches((path,), tree, "2023.01")


def test_a_changed_patch_makes_another_u_boot_and_leaves_the_source(
    use: Use, tmp_path: Path
) -> None:
    source, board = use("plain"), tmp_path / "board"
    (board / "u-boot").mkdir(parents=True)
    rule = "\tenv | sort >$@"
    text = (source / "Makefile").read_text().replace(rule, "\tcat $(CURDIR)/new >$@")
    (source / "Makefile").write_text(text)

    made = []
    for word in ("first", "second"):
        patch(board / "u-boot", f"--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+{word}\n")
        made.append(build_u_boot(BOARD, board, source, quiet).folder)

    assert [(each / "u-boot.bin").read_text() for each in made] == ["first\n", "second\n"]
    assert not (source / "new").exists()


def test_each_patch_of_our_boards_says_what_upstream_has() -> None:
    patches = [path for folder in (ROOT / "boards").iterdir() for path in patches_of(folder)]

    assert patches
    assert [path for path in patches if "\nUpstream-Status: " not in path.read_text()] == []
