# SPDX-License-Identifier: Apache-2.0
"""What a run of the sandbox has started, and what is on its card."""

import re

import pytest

from tests.boot.machine import TRIAL_OF_B, Machine
from tests.conftest import requires_program

SANDBOX = (
    pytest.mark.boot,  # under a second each, except the first of a board, which compiles U-Boot
    pytest.mark.timeout(1800),  # [s] compiling, on a machine that has more to do
    requires_program("gcc", package="gcc"),
    requires_program("dtc", package="device-tree-compiler"),
    requires_program("swig", package="swig"),
)
"""Of every test that runs U-Boot as a program of this machine."""

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


def run_b(machine: Machine) -> None:
    """Start slot B on trial, and commit it, on a machine that never ran."""
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(**COMMIT_OF_B)


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
