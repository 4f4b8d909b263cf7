# SPDX-License-Identifier: Apache-2.0
"""What many tests use, made once for all of them: an image to boot, and installed commands."""

from pathlib import Path

import pytest

from tests.system.images import Image, image_of
from tests.system.installed import install


@pytest.fixture(scope="session")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The minimal image of qemu-arm64."""
    return image_of("qemu-arm64", tmp_path_factory.mktemp("qemu-arm64"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands, installed from wheels."""
    return install(tmp_path_factory.mktemp("installed"))
