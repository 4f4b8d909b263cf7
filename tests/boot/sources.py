# SPDX-License-Identifier: Apache-2.0
"""The sources of U-Boot that the boot logic is tested with."""

import os
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_image.errors import ImageError
from ota_image.firmware.u_boot import SOURCE_PACKAGE
from ota_image.packages.lock import default_recipe
from ota_image.packages.recipe import load_recipe, load_recipes
from ota_image.packages.source import locked_source
from ota_image.packages.sources import ANY_SOURCE

_ARCH = "arm64"
_DEFAULT = default_recipe(_ARCH)
_TREE = os.environ.get("UBOOT_ROOT")

SOURCES = (
    [pytest.param(_TREE, id="tree")]
    if _TREE
    else [
        pytest.param(suite, id=suite, marks=[] if suite == _DEFAULT.suite else [pytest.mark.full])
        for suite in (each.suite for each in load_recipes(_DEFAULT.path))
    ]
)
"""Parameters of a fixture: the tree in $UBOOT_ROOT, or else the suites of our images. U-Boot
compiles for minutes, so that `make test` takes only the one that images have by default."""


def tree_of(source: str) -> Path:
    """The tree of one of `SOURCES`; skips the test if this machine's mirror lacks it."""
    if _TREE:
        return Path(source)
    recipe = load_recipe(_DEFAULT.path, source)
    try:
        return locked_source(SOURCE_PACKAGE, recipe, _ARCH, ANY_SOURCE, print)[1]
    except (ImageError, ProgramError) as error:
        if source == _DEFAULT.suite:
            raise
        pytest.skip(f"no source of {source}'s U-Boot here: {error}")
