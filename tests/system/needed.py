# SPDX-License-Identifier: Apache-2.0
"""The programs that tests of a board need."""

from tests.conftest import requires_program

QEMU_ARM64 = (
    requires_program("ssh", package="openssh-client"),
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
)
"""To build qemu-arm64's U-Boot, to boot its image, and to log in."""
