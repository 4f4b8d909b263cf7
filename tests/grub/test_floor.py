# SPDX-License-Identifier: Apache-2.0
"""The floor of security versions in GRUB's environment: kept, and harmless if it is garbled."""

import pytest

from tests.conftest import requires_program
from tests.grub.emulator import COMMITTED_B, TRIAL_OF_B, Machine

pytestmark = [
    pytest.mark.boot,
    requires_program("grub-emu", package="grub-emu"),
    requires_program("sfdisk", package="fdisk"),
    requires_program("mcopy", package="mtools"),
]

FLOOR = "rootfs-image:1a2b3c4d:6 rootfs-image.app:1a2b3c4d:2"
ODD = ["3\r", "x" * 300, "\\;reset", "${mender_boot_part} ]; then", "'\"", "-1", "\x7f\xff"]


def test_after_a_commit_that_raised_the_floor_the_slot_below_it_is_not_started(
    machine: Machine,
) -> None:
    machine.set(**TRIAL_OF_B, ota_floor=FLOOR.replace("6", "5"))
    assert "KERNEL slot=B" in machine.boot()
    machine.set(**COMMITTED_B, ota_floor=FLOOR, ota_good_a="0")
    assert "KERNEL slot=B" in machine.boot()
    machine.spoil("B")

    said = machine.boot()

    assert "OTA: partition 2 is not known to be good, and is not started" in said
    assert "KERNEL" not in said
    assert machine.state["ota_floor"] == FLOOR


@pytest.mark.parametrize("lost", [1, 2])
def test_a_copy_that_is_repaired_has_the_floor_too(machine: Machine, lost: int) -> None:
    machine.set(ota_floor=FLOOR)
    old = {name: each for name, each in machine.variables(1).items() if name != "ota_floor"}
    machine.write_copy(lost, old, is_locked=True)

    assert "is repaired from" in machine.boot()

    assert machine.state["ota_floor"] == FLOOR


def test_a_copy_without_the_floor_is_not_up_to_date(machine: Machine) -> None:
    """A commit was cut off between the two copies: the second one is written first."""
    machine.set(ota_floor=FLOOR)
    machine.write_copy(2, machine.variables(2) | {"ota_floor": FLOOR.replace("6", "7")})

    machine.boot()

    assert machine.state["ota_floor"] == FLOOR


@pytest.mark.parametrize("floor", ODD)
def test_with_a_garbled_floor_a_trial_is_rolled_back_as_without_one(
    machine: Machine, floor: str
) -> None:
    machine.set(**TRIAL_OF_B, ota_floor=floor)

    for slot in "BAA":
        assert f"KERNEL slot={slot}" in machine.boot()

    assert machine.state["ota_rollback"] == "count 3"
