# SPDX-License-Identifier: Apache-2.0
"""What a run of the sandbox has started, and what is on its card."""

import re

from tests.boot.machine import Machine

COMMIT_OF_B = {"upgrade_available": "0", "bootcount": "0", "ota_good_b": "1"}
"""The variables that our agent sets to commit slot B, on trial."""


def started(said: str) -> str:
    """The slot whose kernel was started, by the arguments in that slot's own file."""
    last = said.rpartition("append: ")[2]
    match = re.search(r"root=/dev/mmcblk0p(\d) .* test\.slot=([AB])\n", last)
    assert match, said
    assert "## Transferring control to Linux" in last, said
    assert {"A": "2", "B": "3"}[match[2]] == match[1], said
    return match[2]


def blank(machine: Machine, slot: str) -> None:
    machine.spoil(machine.board.layout.partition(slot).offset, 1 << 20)


def environment(machine: Machine) -> list[bytes]:
    """The bytes of both copies."""
    data = []
    with machine.disk.open("rb") as file:
        for area in machine.board.layout.environment:
            file.seek(area.offset)
            data.append(file.read(area.size))
    return data
