# SPDX-License-Identifier: Apache-2.0
"""The exit codes. Source: Mender's client, which scripts out there are written for."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    NOTHING_IN_PROGRESS = 2
    REBOOT_NEEDED = 4
