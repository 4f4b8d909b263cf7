# SPDX-License-Identifier: Apache-2.0
"""A card that refuses to write: now and then, for good, or since the environment is full."""

import pytest

from tests.boot.machine import TRIAL_OF_B, Machine
from tests.sandbox.conftest import Start
from tests.sandbox.started import SANDBOX, environment, started

pytestmark = [
    *SANDBOX,
    pytest.mark.parametrize("board_name", ["beaglebone-black"]),
]  # each refused save waits four seconds
UNCOUNTED = "OTA: the trial of partition 3 cannot be counted, so it is not begun"


def test_a_trial_that_cannot_be_counted_is_not_begun_at_any_boot(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    before = environment(machine)

    for _ in range(2):
        machine.refuse_writes(100)
        said = machine.boot(deadline=60)

        assert UNCOUNTED in said
        assert "root=/dev/mmcblk0p3" not in said
        assert started(said) == "A"
    assert environment(machine) == before


def test_a_trial_whose_end_alone_can_be_saved_says_why_it_was_not_begun(machine: Machine) -> None:
    """U-Boot's own count and the three tries are refused; then the card works again."""
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.refuse_writes(4)

    said = machine.boot(deadline=60)

    assert UNCOUNTED in said
    assert started(said) == "A"
    state = machine.variables()
    assert (state["mender_boot_part"], state["upgrade_available"]) == ("2", "0")
    assert (state["ota_rollback"], state["ota_good_b"]) == ("save 3", "0")
    assert started(machine.boot()) == "A"


@pytest.mark.parametrize("count", [1, 3])
def test_a_trial_is_begun_and_counted_once_a_card_writes_again(
    machine: Machine, count: int
) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.refuse_writes(count)

    said = machine.boot(deadline=60)

    assert started(said) == "B"
    assert machine.variables()["bootcount"] == "1"
    assert started(machine.boot()) == "A"


def test_an_environment_that_is_full_begins_no_trial(start: Start) -> None:
    machine = start()
    machine.boot()
    state = machine.variables() | TRIAL_OF_B
    used = sum(len(f"{name}={value}") + 1 for name, value in state.items())
    room = machine.board.layout.environment[0].size - used
    machine.set(**TRIAL_OF_B, filler="x" * (room - 100))

    said = start({"found": "y" * 200}).boot(deadline=60)

    assert UNCOUNTED in said
    assert started(said) == "A"


def test_a_boot_that_is_not_a_trial_starts_although_nothing_can_be_saved(machine: Machine) -> None:
    machine.refuse_writes(100)

    said = machine.boot(deadline=60)

    assert "OTA: first boot" in said
    assert started(said) == "A"
