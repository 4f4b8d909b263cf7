# SPDX-License-Identifier: Apache-2.0
"""BitBake plans both images with all of openembedded-core, for each release and machine.

`bitbake -n` reads every recipe, finds what each task depends on, and goes through all of them
without doing one. So a package or a native recipe by a name that is none is seen, and a licence
that is not accepted; whether anything compiles is not. Signatures, which a dry-run has no use for,
are left out: they take most of the time.

A run takes minutes. What was planned once with the same layer is not planned again, see runs.py.
"""

import os
import re
from pathlib import Path

import pytest

from tests.conftest import requires_open_tree, requires_program
from tests.yocto.bitbake import MACHINES, RELEASES, BuildFolder, configuration

IMAGES = ("ota-image-minimal", "ota-image-demo")
WORK = Path(os.environ.get("OTA_YOCTO_WORK") or f"/var/tmp/ota-kit-yocto-{os.geteuid()}")  # noqa: S108
"""Kept, since it has what BitBake has read: what is stopped is read quicker the next time."""

_QUICK = 'BB_SIGNATURE_HANDLER = "noop"'
_OFFLINE = "uninative"  # what BitBake warns of where it may not download

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3660),  # [s] on a busy machine
    requires_open_tree,
    requires_program("chrpath", package="chrpath diffstat gawk lz4 zstd cpio file texinfo"),
    pytest.mark.skipif(
        not RELEASES, reason="OE_ROOT has no scarthgap and no wrynose: see tests/yocto/bitbake.py"
    ),
]


@pytest.mark.shows("dry-run", once=True)
@pytest.mark.parametrize("board", MACHINES)
@pytest.mark.parametrize("release", RELEASES)
def test_both_images_are_planned(release: str, board: str) -> None:
    folder = WORK / release
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    assert WORK.stat().st_uid == os.geteuid(), f"{WORK} is somebody else's: remove it"
    build = BuildFolder(folder, release)
    build.configure(configuration(release, board), _QUICK)

    said = build.bitbake("-n", *IMAGES, timeout=3600)

    warnings = re.findall(r"^(?:ERROR|WARNING): .*", said, re.MULTILINE)
    assert [each for each in warnings if _OFFLINE not in each] == []
    assert "all succeeded" in said
    for image in IMAGES:
        assert re.search(rf"Running task \d+ of \d+ \(.*/{image}\.bb:do_image_sdimg\)", said)
