# SPDX-License-Identifier: Apache-2.0
"""A dry-run: BitBake reads every recipe, and goes through all tasks without running them.

It finds wrong names of packages and native recipes, and licences that are not accepted. It does not
show whether anything compiles. It leaves out signatures, which a dry-run does not need.
"""

import os
import re
from pathlib import Path

from tests.yocto.bitbake import BuildFolder

WORK = Path(os.environ.get("OTA_YOCTO_WORK") or f"/var/tmp/ota-kit-yocto-{os.geteuid()}")  # noqa: S108
"""Kept, since it has BitBake's cache, which makes the next run faster."""

QUICK = 'BB_SIGNATURE_HANDLER = "noop"'
"""A setting for the build directory."""

LIMIT = 3600.0  # [s] on a busy machine

_OFFLINE = "uninative"  # BitBake's warning if it may not download


def work_folder(release: str) -> BuildFolder:
    """The build directory of a release, not yet configured."""
    folder = WORK / release
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    assert WORK.stat().st_uid == os.geteuid(), f"{WORK} belongs to another user: remove it"
    return BuildFolder(folder, release)


def expect_planned(build: BuildFolder, *images: str) -> None:
    """Plan images without errors and warnings; the disk image of each is among the tasks."""
    said = build.bitbake("-n", *images, timeout=LIMIT)

    warnings = re.findall(r"^(?:ERROR|WARNING): .*", said, re.MULTILINE)
    assert [each for each in warnings if _OFFLINE not in each] == []
    assert "all succeeded" in said
    for image in images:
        assert re.search(rf"Running task \d+ of \d+ \(.*/{image}\.bb:do_image_sdimg\)", said)
