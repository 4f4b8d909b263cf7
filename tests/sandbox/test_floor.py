# SPDX-License-Identifier: Apache-2.0
"""The floor of security versions in U-Boot's environment: kept, and harmless if it is garbled."""

import pytest

from tests.boot.machine import TRIAL_OF_B, Machine
from tests.sandbox.started import COMMIT_OF_B, SANDBOX, blank, started

pytestmark = [*SANDBOX, pytest.mark.parametrize("board_name", ["qemu-arm64"])]

FLOOR = "rootfs-image:1a2b3c4d:6 rootfs-image.app:1a2b3c4d:2"
ODD = ["3\r", "x" * 10000, "; reset", "$(reset) ${ota_b}; fi", "'\"", "-1", "\x7f\t", "9" * 400]


def test_after_a_commit_that_raised_the_floor_the_slot_below_it_is_not_started(
    machine: Machine,
) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, ota_floor=FLOOR.replace("6", "5"))
    assert started(machine.boot()) == "B"
    machine.set(**COMMIT_OF_B, ota_floor=FLOOR, ota_good_a="0")
    assert started(machine.boot()) == "B"
    blank(machine, "B")

    said = machine.boot(until="trying again in 10 s")

    assert "OTA: partition 2 is not known to be good, and is not started" in said
    assert "root=/dev/mmcblk0p2" not in said
    assert machine.variables()["ota_floor"] == FLOOR


def test_a_trial_below_no_floor_rolls_back_and_the_floor_stays(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, ota_floor=FLOOR)

    assert [started(machine.boot()) for _ in range(3)] == ["B", "A", "A"]

    assert machine.variables()["ota_floor"] == FLOOR


@pytest.mark.parametrize("floor", ODD)
def test_with_a_garbled_floor_a_trial_is_rolled_back_as_without_one(
    machine: Machine, floor: str
) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, ota_floor=floor)

    assert [started(machine.boot()) for _ in range(3)] == ["B", "A", "A"]

    assert machine.variables()["ota_rollback"] == "count 3"
