# SPDX-License-Identifier: Apache-2.0
"""BitBake plans both images with all of openembedded-core, for each release and machine.

A run takes minutes. A build that was planned with the same layer is not planned again, see runs.py.
"""

import pytest

from tests.yocto.bitbake import MACHINES, RELEASES, configuration
from tests.yocto.host import requires_bitbake
from tests.yocto.planning import LIMIT, QUICK, expect_planned, work_folder

IMAGES = ("ota-image-minimal", "ota-image-demo")

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(LIMIT + 60),
    requires_bitbake,
]


@pytest.mark.shows("dry-run", once=True)
@pytest.mark.parametrize("board", MACHINES)
@pytest.mark.parametrize("release", RELEASES)
def test_both_images_are_planned(release: str, board: str) -> None:
    build = work_folder(release)
    build.configure(configuration(release, board), f'{QUICK}\nOTA_OPEN_LOGIN = "1"\n')

    expect_planned(build, *IMAGES)
