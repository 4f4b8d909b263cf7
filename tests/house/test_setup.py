# SPDX-License-Identifier: Apache-2.0
"""What the targets of the Makefile do to a machine, tried in a small tree of its own."""

import shutil
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = requires_program("make", package="make")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The Makefile and its scripts, with nothing to install."""
    tree = tmp_path / "a kit"
    tree.mkdir()
    shutil.copy(ROOT / "Makefile", tree)
    shutil.copytree(ROOT / ".ci", tree / ".ci")
    for name in ("debian-packages.txt", "requirements.lock"):
        (tree / name).touch()
    return tree


def test_clean_says_that_the_cache_stays_and_how_to_empty_it(tree: Path) -> None:
    (tree / "build").mkdir()

    said = run(("make", "-C", tree, "clean"), timeout=60, environment={"XDG_CACHE_HOME": "/c"})

    assert "rm -rf '/c/ota-kit'" in said.decode()
    assert not (tree / "build").exists()
