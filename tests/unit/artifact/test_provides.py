# SPDX-License-Identifier: Apache-2.0
"""What is provided and cleared by convention."""

import pytest

from ota_artifact.provides import Software, default_clears, software_version

Provides = dict[str, str]


@pytest.mark.parametrize(
    ("software", "module", "provides"),
    [
        (Software(), "", {"rootfs-image.version": "v2"}),
        (Software(name="app"), "", {"rootfs-image.app.version": "v2"}),
        (Software(), "dir", {"rootfs-image.dir.version": "v2"}),
        (Software(name="app"), "dir", {"rootfs-image.app.version": "v2"}),
        (Software(filesystem="data", name="app", version="7"), "dir", {"data.app.version": "7"}),
        (Software(filesystem="data"), "", {"data.version": "v2"}),
        (Software(is_default=False), "dir", {}),
        (Software(version="7", is_default=False), "dir", {"rootfs-image.version": "7"}),
        (
            Software(filesystem="data", name="app", version="7", is_default=False),
            "",
            {"data.app.version": "7"},
        ),
    ],
)
def test_version_is_provided_under_the_softwares_name(
    software: Software, module: str, provides: Provides
) -> None:
    assert software_version(software, "v2", module) == provides


@pytest.mark.parametrize(
    ("software", "module", "clears"),
    [
        (Software(), "", ("artifact_group", "rootfs_image_checksum", "rootfs-image.*")),
        (Software(name="app"), "", ("rootfs-image.app.*",)),
        (Software(), "dir", ("rootfs-image.dir.*",)),
        (Software(filesystem="data"), "dir", ("data.dir.*",)),
        (Software(filesystem="data"), "", ("data.*",)),
        (Software(filesystem="data", name="app"), "dir", ("data.app.*",)),
    ],
)
def test_what_the_software_provided_before_is_cleared(
    software: Software, module: str, clears: tuple[str, ...]
) -> None:
    assert default_clears(software, module) == clears
