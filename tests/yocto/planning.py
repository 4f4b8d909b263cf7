# SPDX-License-Identifier: Apache-2.0
"""A dry-run: BitBake reads every recipe, and goes through all tasks without doing one.

So a package or a native recipe by a name that is none is seen, and a licence that is not accepted;
whether anything compiles is not. Signatures, which a dry-run has no use for, are left out.
"""

import os
import re
from pathlib import Path

from tests.yocto.bitbake import BuildFolder

WORK = Path(os.environ.get("OTA_YOCTO_WORK") or f"/var/tmp/ota-kit-yocto-{os.geteuid()}")  # noqa: S108
"""Kept, since it has what BitBake has read: what is stopped is read quicker the next time."""

QUICK = 'BB_SIGNATURE_HANDLER = "noop"'
"""A setting for the build directory."""

LIMIT = 3600.0  # [s] on a busy machine

_OFFLINE = "uninative"  # what BitBake warns of where it may not download


def work_folder(release: str) -> BuildFolder:
    """The build directory of a release, not yet configured."""
    folder = WORK / release
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    assert WORK.stat().st_uid == os.geteuid(), f"{WORK} is somebody else's: remove it"
    return BuildFolder(folder, release)


def expect_planned(build: BuildFolder, *images: str) -> None:
    """Plan images; there is no error, no warning, and each one's disk image is among the tasks."""
    said = build.bitbake("-n", *images, timeout=LIMIT)

    warnings = re.findall(r"^(?:ERROR|WARNING): .*", said, re.MULTILINE)
    assert [each for each in warnings if _OFFLINE not in each] == []
    assert "all succeeded" in said
    for image in images:
        assert re.search(rf"Running task \d+ of \d+ \(.*/{image}\.bb:do_image_sdimg\)", said)
