# SPDX-License-Identifier: Apache-2.0
"""What U-Boot falls back to, and what it starts when no copy of its environment is valid."""

import pytest

from tests.boot.machine import TRIAL_OF_B, Machine
from tests.sandbox.started import COMMIT_OF_B, SANDBOX, blank, environment, run_b, started

pytestmark = [*SANDBOX]


def lose_the_environment(machine: Machine) -> None:
    for area in machine.board.layout.environment:
        machine.spoil(area.offset)


def test_a_committed_slot_that_no_longer_loads_gives_way_to_a_good_one_and_says_why(
    machine: Machine,
) -> None:
    run_b(machine)
    blank(machine, "B")

    said = machine.boot()

    assert started(said) == "A"
    assert machine.variables()["ota_rollback"] == "load 3"
    assert started(machine.boot()) == "A"


@pytest.mark.parametrize("good", ["0", "", "2", "yes"])
def test_a_slot_that_is_not_known_to_be_good_is_never_fallen_back_to(
    machine: Machine, good: str
) -> None:
    """Slot B is a whole system that was never committed, such as one that failed verification."""
    machine.boot()
    machine.set(ota_good_b=good)
    blank(machine, "A")
    before = environment(machine)

    said = machine.boot(until="trying again in 10 s")

    assert "OTA: partition 3 is not known to be good, and is not started" in said
    assert "root=/dev/mmcblk0p3" not in said
    assert environment(machine) == before


def test_a_slot_that_failed_its_trial_is_not_good(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B, ota_good_b="1")  # by a client that does not know of it
    machine.boot()
    assert machine.variables()["ota_good_b"] == "0"
    assert started(machine.boot()) == "A"
    blank(machine, "A")

    said = machine.boot(until="trying again in 10 s")

    assert "OTA: partition 3 is not known to be good, and is not started" in said
    assert "root=/dev/mmcblk0p3" not in said


def test_what_a_client_committed_that_knows_of_no_good_slots_is_good_and_the_other_is_not(
    machine: Machine,
) -> None:
    """Mender's client may have begun to write the other slot, and does not say so."""
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")

    assert started(machine.boot()) == "B"

    state = machine.variables()
    assert (state.get("ota_good_a"), state["ota_good_b"]) == (None, "1")
    before = environment(machine)
    assert started(machine.boot()) == "B"
    assert environment(machine) == before
    blank(machine, "B")
    said = machine.boot(until="trying again in 10 s")
    assert "OTA: partition 2 is not known to be good, and is not started" in said


def test_a_client_that_knows_of_no_good_slots_updates_and_rolls_back(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")  # and at once the next one
    machine.set(
        upgrade_available="1", bootcount="0", mender_boot_part="2", mender_boot_part_hex="2"
    )

    assert started(machine.boot()) == "A"
    said = machine.boot()

    assert "OTA: trial of partition 2 was not committed, rolling back" in said
    assert started(said) == "B"
    assert started(machine.boot()) == "B"


def test_an_environment_of_before_learns_which_slot_is_good(machine: Machine) -> None:
    machine.boot()
    machine.set(ota_good_a="", ota_good_b="")

    assert started(machine.boot()) == "A"

    state = machine.variables()
    assert (state["ota_good_a"], state.get("ota_good_b")) == ("1", None)
    assert started(machine.boot()) == "A"


def test_a_trial_that_failed_is_not_started_again_even_if_the_old_slot_is_dead(
    machine: Machine,
) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    blank(machine, "A")

    said = machine.boot(until="trying again in 10 s")

    assert "OTA: partition 2 does not load either" in said
    assert "root=/dev/mmcblk0p3" not in said
    said = machine.boot(until="trying again in 10 s")
    assert "root=/dev/mmcblk0p3" not in said


def test_without_any_environment_each_boot_tries_the_other_slot_until_one_is_kept(
    machine: Machine,
) -> None:
    machine.boot()
    lose_the_environment(machine)

    said = machine.boot()

    assert "bad CRC, using default environment" in said
    assert "OTA: the environment was lost, trying partition 2" in said
    assert started(said) == "A"
    state = machine.variables()
    assert state["mender_saveenv_canary"] == "1"
    assert (state["mender_boot_part"], state["ota_rollback"]) == ("2", "lost 2")
    assert [started(machine.boot()) for _ in range(3)] == ["B", "A", "B"]
    assert machine.variables()["ota_rollback"] == "lost 3"
    machine.set(ota_good_b="1", ota_lost="", ota_rollback="")  # its agent says that it runs
    before = environment(machine)
    assert [started(machine.boot()) for _ in range(2)] == ["B", "B"]
    assert environment(machine) == before


@pytest.mark.parametrize("dead", ["A", "B"])
def test_without_any_environment_a_slot_that_does_not_load_is_passed_over(
    machine: Machine, dead: str
) -> None:
    blank(machine, dead)
    lose_the_environment(machine)

    said = [started(machine.boot()) for _ in range(3)]

    assert said == [{"A": "B", "B": "A"}[dead]] * 3


def test_a_trial_ends_the_search_for_the_slot_that_ran(machine: Machine) -> None:
    """A client that does not know of the search still chooses what starts."""
    lose_the_environment(machine)
    machine.boot()
    machine.set(**TRIAL_OF_B)

    assert [started(machine.boot()) for _ in range(3)] == ["B", "A", "A"]


@pytest.mark.parametrize("size", [512, 4096, 128 << 10])
@pytest.mark.parametrize("number", [0, 1], ids=["first copy", "second copy"])
@pytest.mark.parametrize("is_new", [False, True], ids=["older left", "newer left"])
def test_whatever_is_garbled_at_a_write_of_a_commit_a_whole_slot_starts_and_is_repaired(
    machine: Machine, number: int, size: int, *, is_new: bool
) -> None:
    """A card that loses power garbles what is near the sector in flight, in one of the copies."""
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    if is_new:
        machine.write_copy(1 - number, machine.variables() | COMMIT_OF_B, flag=20)
    area = machine.board.layout.environment[number]
    place = (area.offset + area.size // 2) // size * size
    machine.write_copy(number, {"torn": "x"}, flag=21)

    machine.spoil(area.offset, 512)
    machine.spoil(place, size)

    for _ in range(2):
        assert started(machine.boot()) == ("B" if is_new else "A")
