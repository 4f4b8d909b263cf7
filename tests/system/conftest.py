# SPDX-License-Identifier: Apache-2.0
"""The image that most tests boot, built once for all of them."""

import pytest

from tests.system.images import Image, image_of


@pytest.fixture(scope="session")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The minimal image of qemu-arm64."""
    return image_of("qemu-arm64", tmp_path_factory.mktemp("qemu-arm64"))
