# SPDX-License-Identifier: Apache-2.0
"""A state that is valid and odd: written by a hand, another tool, or an older client."""

import pytest

from tests.boot.machine import TRIAL_OF_B, Machine
from tests.sandbox.started import SANDBOX, blank, environment, started

pytestmark = [*SANDBOX, pytest.mark.parametrize("board_name", ["qemu-arm64"])]

NO_TRIAL = ["2", "01", "0x1", "1\r", "true"]
"""Of these, U-Boot's own counter takes all but the last for a trial."""


@pytest.mark.parametrize("limit", ["", "0", "0x0", "-1", "abc", "99999999999", "10\r"])
def test_a_trial_ends_whatever_the_limit_says(machine: Machine, limit: str) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, bootlimit=limit)

    assert [started(machine.boot()) for _ in range(3)] == ["B", "A", "A"]

    assert machine.variables()["ota_rollback"] == "count 3"


def test_a_limit_that_an_integrator_has_chosen_stays(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, bootlimit="2")

    assert [started(machine.boot()) for _ in range(4)] == ["B", "B", "A", "A"]

    assert machine.variables()["bootlimit"] == "2"


@pytest.mark.parametrize("count", ["", "abc", "-1", "18446744073709551615", "99999999999", "2"])
def test_a_trial_ends_whatever_the_count_says(machine: Machine, count: str) -> None:
    machine.boot()
    machine.set(**(TRIAL_OF_B | {"bootcount": count}))

    assert "A" in [started(machine.boot()) for _ in range(3)]

    assert started(machine.boot()) == "A"


@pytest.mark.parametrize("trial", NO_TRIAL)
@pytest.mark.parametrize("part", ["2", "3"])
def test_a_trial_of_an_unknown_kind_starts_nothing_that_is_not_good(
    machine: Machine, trial: str, part: str
) -> None:
    machine.boot()
    machine.set(
        upgrade_available=trial, mender_boot_part=part, mender_boot_part_hex=part, bootcount="0"
    )

    assert [started(machine.boot()) for _ in range(3)] == ["A", "A", "A"]

    state = machine.variables()
    assert (state["upgrade_available"], state["ota_rollback"]) == ("0", "odd 2")
    before = environment(machine)
    machine.boot()
    assert environment(machine) == before


@pytest.mark.parametrize("part", ["", "5", "abc", "3\r", "x" * 10000])
@pytest.mark.parametrize("trial", ["0", "1"])
@pytest.mark.parametrize("good", ["A", "B"])
def test_without_the_name_of_a_slot_the_one_starts_that_is_good(
    machine: Machine, part: str, trial: str, good: str
) -> None:
    machine.boot()
    machine.set(
        mender_boot_part=part,
        mender_boot_part_hex=part,
        upgrade_available=trial,
        ota_good_a=str(int(good == "A")),
        ota_good_b=str(int(good == "B")),
    )

    assert [started(machine.boot()) for _ in range(3)] == [good, good, good]

    number = {"A": "2", "B": "3"}[good]
    state = machine.variables()
    assert (state["mender_boot_part"], state["mender_boot_part_hex"]) == (number, number)
    assert state["ota_rollback"] == f"odd {number}"
    blank(machine, good)
    said = machine.boot(until="trying again in 10 s")
    assert "falling back" not in said
