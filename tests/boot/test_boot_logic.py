# SPDX-License-Identifier: Apache-2.0
"""The boot logic of U-Boot: trial, commit, rollback, and every way out of a slot that is broken.

Each test runs the board's own binary in QEMU, and writes the environment in place of Linux.
"""

import re

import pytest

from ota_artifact.image.filesystem import open_filesystem
from tests.boot.machine import TRIAL_OF_B, Machine
from tests.conftest import requires_program

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot to be compiled
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
]


def slot_b(machine: Machine) -> int:
    return machine.board.layout.partition("B").offset


def test_first_boot_proves_the_environment_and_starts_slot_a(machine: Machine) -> None:
    assert machine.variables().get("mender_saveenv_canary") is None

    said = machine.boot()

    assert "KERNEL A" in said
    # v2026.01 also prints which copy it reads.
    assert re.search(r"Loading Environment from MMC\.\.\. (Reading from .*)?OK\n", said)
    assert machine.variables()["mender_saveenv_canary"] == "1"
    assert machine.variables()["bootcount"] == "0"


def test_variables_that_identify_a_board_are_never_saved(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.boot()

    assert not {"ethaddr", "eth1addr", "serial#", "fdtfile"} & set(machine.variables())


def test_a_boot_that_is_not_a_trial_writes_nothing(machine: Machine) -> None:
    machine.boot()
    before = machine.disk.read_bytes()

    for _ in range(3):
        assert "KERNEL A" in machine.boot()

    assert machine.disk.read_bytes() == before


def test_a_trial_that_is_not_committed_rolls_back(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)

    first = machine.boot()

    assert "KERNEL B" in first
    assert machine.variables()["bootcount"] == "1"
    assert machine.variables()["upgrade_available"] == "1"

    second = machine.boot()

    assert "was not committed, rolling back" in second
    assert "KERNEL A" in second
    state = machine.variables()
    assert (state["upgrade_available"], state["bootcount"]) == ("0", "0")
    assert (state["mender_boot_part"], state["mender_boot_part_hex"]) == ("2", "2")
    assert state["ota_rollback"] == "count 3"
    assert "KERNEL A" in machine.boot()


def test_a_trial_that_is_committed_stays(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")

    for _ in range(3):
        assert "KERNEL B" in machine.boot()

    assert machine.variables()["mender_boot_part"] == "3"
    assert "ota_rollback" not in machine.variables()


@pytest.mark.parametrize("broken", ["blank", "no kernel"])
def test_a_trial_that_does_not_load_falls_back_in_the_same_power_cycle(
    machine: Machine, broken: str
) -> None:
    machine.boot()
    if broken == "blank":
        machine.spoil(slot_b(machine), 1 << 20)
    else:
        _remove_kernel(machine)
    machine.set(**TRIAL_OF_B)

    said = machine.boot()

    assert "OTA: partition 3 does not load" in said
    assert "KERNEL A" in said
    assert machine.variables()["ota_rollback"] == "load 3"
    assert machine.variables()["mender_boot_part"] == "2"
    assert machine.variables()["upgrade_available"] == "0"


def test_a_committed_slot_that_no_longer_loads_gives_way_to_a_good_one_alone(
    machine: Machine,
) -> None:
    machine.boot()
    machine.spoil(machine.board.layout.partition("A").offset, 1 << 20)

    said = machine.boot(until="trying again in 10 s")
    assert "OTA: partition 3 is not known to be good, and is not started" in said
    machine.set(ota_good_b="1")
    said = machine.boot()

    assert "OTA: partition 2 does not load" in said
    assert "KERNEL B" in said
    assert machine.variables()["ota_rollback"] == "load 2"
    assert "KERNEL B" in machine.boot()


def test_two_broken_slots_end_in_a_message_and_a_retry_not_in_a_prompt(machine: Machine) -> None:
    machine.boot()
    for slot in ("A", "B"):
        machine.spoil(machine.board.layout.partition(slot).offset, 1 << 20)

    said = machine.boot(deadline=40)

    assert "OTA: neither slot boots; trying again in 10 s" in said
    assert "resetting" in said
    assert "=>" not in said


@pytest.mark.parametrize("number", [0, 1], ids=["first copy", "second copy"])
def test_one_copy_of_the_environment_is_enough(machine: Machine, number: int) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")
    machine.spoil(machine.board.layout.environment[number].offset)

    assert "KERNEL B" in machine.boot()


def test_without_any_environment_the_factory_default_boots(machine: Machine) -> None:
    for area in machine.board.layout.environment:
        machine.spoil(area.offset)

    said = machine.boot()

    assert "KERNEL A" in said
    assert machine.variables()["mender_saveenv_canary"] == "1"


def test_logic_that_an_older_u_boot_saved_is_not_used(machine: Machine) -> None:
    machine.boot()
    old = dict.fromkeys(("ota_main", "ota_limit", "ota_try", "ota_back"), "echo OLD LOGIC")
    machine.set(ota_vars="ota_none", **old)

    assert "KERNEL A" in machine.boot()
    machine.set(**TRIAL_OF_B)
    assert "KERNEL B" in machine.boot()
    said = machine.boot()

    assert "KERNEL A" in said
    assert "OLD LOGIC" not in said


@pytest.mark.parametrize("part", ["", "1", "4", "99", "abc"])
def test_an_unknown_slot_counts_as_a(machine: Machine, part: str) -> None:
    machine.boot()
    machine.set(mender_boot_part=part)

    assert "KERNEL A" in machine.boot()


def test_noise_on_the_console_does_not_stop_the_boot(machine: Machine) -> None:
    said = machine.boot(send="\r\n \x03\x1b[A~x\r\n")

    assert "KERNEL A" in said


@pytest.mark.parametrize(
    "message", ["Loading Environment", "Saving Environment", "OTA: trial boot", "Retrieving"]
)
def test_power_cut_at_any_message_of_a_trial_ends_on_a_slot_that_boots(
    machine: Machine, message: str
) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)

    machine.boot(until=message)  # on a busy machine the board gets further than that message

    assert "KERNEL A" in machine.boot() + machine.boot()
    assert machine.variables()["upgrade_available"] == "0"


def _remove_kernel(machine: Machine) -> None:
    area = machine.board.layout.partition("B")
    open_filesystem(machine.disk, area.offset, area.size).remove("/boot/vmlinuz")
