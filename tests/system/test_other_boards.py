# SPDX-License-Identifier: Apache-2.0
"""The same cycle on boards that take longer, or that show little new, and with another suite."""

from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.system.images import image_of
from tests.system.u_boot_cycle import go_through

pytestmark = [
    pytest.mark.full,  # minutes: the Raspberry Pi's USB network alone takes 10 s a boot
    pytest.mark.timeout(1800),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("arm-linux-gnueabihf-gcc", package="gcc-arm-linux-gnueabihf"),
    requires_program("ssh", package="openssh-client"),
]


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("qemu-arm", "trixie"),
        ("qemu-arm", "bookworm"),
        ("raspberrypi3", "trixie"),
        ("raspberrypi3", "bookworm"),
        ("qemu-arm64", "bookworm"),
    ],
)
def test_the_board_boots_falls_back_rolls_back_and_commits(
    name: str, suite: str, tmp_path: Path
) -> None:
    go_through(image_of(name, tmp_path / "built", suite=suite), tmp_path)
