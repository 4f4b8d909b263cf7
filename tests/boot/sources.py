# SPDX-License-Identifier: Apache-2.0
"""The sources of U-Boot that the boot logic is tested with."""

import os
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_image.errors import ImageError
from ota_image.packages.source import RELEASE, source_package

RELEASES = ("bookworm", "trixie")
"""Releases of Debian, with U-Boot 2023.01 and 2025.01."""

_TREE = os.environ.get("UBOOT_ROOT")

SOURCES = (
    [pytest.param(_TREE, id="tree")]
    if _TREE
    else [
        pytest.param(each, id=each, marks=[] if each == RELEASE else [pytest.mark.full])
        for each in RELEASES
    ]
)
"""Parameters of a fixture: the tree in $UBOOT_ROOT, or else releases of Debian. U-Boot compiles for
minutes, so that `make test` takes only the one that images have by default."""


def tree_of(source: str) -> Path:
    """The tree of one of `SOURCES`; skips the test if this machine's mirror lacks it."""
    if _TREE:
        return Path(source)
    try:
        return source_package("u-boot", release=source)
    except (ImageError, ProgramError) as error:
        if source == RELEASE:
            raise
        pytest.skip(f"no source of {source}'s U-Boot here: {error}")
