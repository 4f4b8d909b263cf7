# SPDX-License-Identifier: Apache-2.0
"""A slot in which no Python program starts, and so no agent either: what its trial comes to."""

from collections.abc import Callable

from tests.system.images import Image
from tests.system.running import Running

DEADLINE = 30  # [s]
_NO_PROGRAM = r"#!/bin/sh\nexit 127\n"


def expect_the_old_slot_again(
    board: Running, image: Image, try_b: Callable[[Running], object], *, timeout: float
) -> None:
    """Try slot B without Python, from slot A, and wait until the board is back.

    Args:
        try_b: asks for the trial, and reboots.
        timeout: of a boot [s].
    """
    a, b = image.board.layout.node("A"), image.board.layout.node("B")
    board.ssh(
        f"cat {a} >{b} && mount -t ext4 {b} /mnt"
        f" && for each in /mnt/usr/bin/python3.*; do printf '{_NO_PROGRAM}' >$each; done"
        f" && printf '[commit]\\ndeadline = {DEADLINE}\\n' >>/mnt/etc/ota/agent.toml"
        " && umount /mnt",
        timeout=600,
    )
    try_b(board)
    board.expect("OTA: trial boot of partition 3", timeout=timeout)

    board.expect("ota: trial: no agent is at work on it", timeout=timeout + 10 * DEADLINE)

    board.expect("was not committed, rolling back", timeout=timeout)
    board.comes_up_on("A", timeout=timeout)
