# SPDX-License-Identifier: Apache-2.0
"""The demo, as a newcomer runs it: a good release is committed, one that panics is rolled back.

The commands are installed from wheels, and only what Debian has for an ordinary user is on $PATH.
"""

from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.load import load_board
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(1800),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]


def test_the_demo_shows_a_commit_and_a_rollback(installed: Path, tmp_path: Path) -> None:
    words = ("env", "-C", tmp_path, "PATH=/usr/bin:/bin", installed / "ota-hil", "demo")

    said = run(words, timeout=1700)

    text = said.decode()
    places = [
        text.index(each)
        for each in (
            "console: ota: slot A, release 1, userspace up",
            "artifact: is not signed",
            "install: slot B: 50 %",
            "Installed, but not committed.",
            "console: OTA: trial boot of partition 3",
            "console: ota: slot B, release 2, userspace up",
            "Committed.",
            "     minimal-2\n",
            "console: OTA: trial boot of partition 2",
            "Kernel panic",
            "was not committed, rolling back",
            "started on trial, and never committed",
            "both updates ended as they should",
        )
    ]
    assert places == sorted(places), text
    [image] = (tmp_path / "build" / "demo" / "release-1").glob("*.sdimg")
    assert examine(image, load_board(ROOT / "boards" / "qemu-arm64")) == []  # signed, and closed
