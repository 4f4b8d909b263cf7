# SPDX-License-Identifier: Apache-2.0
"""What GRUB falls back to, and what it starts when no copy of its state is valid."""

import pytest

from ota_artifact.grub_block import LOCKED, OPEN, encode_block
from ota_board.grub import COPIES, LAST
from tests.conftest import requires_program
from tests.grub.emulator import COMMITTED_B, TRIAL_OF_B, Machine

pytestmark = [
    pytest.mark.boot,
    requires_program("grub-emu", package="grub-emu"),
    requires_program("sfdisk", package="fdisk"),
    requires_program("mcopy", package="mtools"),
]


def test_a_committed_slot_that_no_longer_loads_gives_way_to_a_good_one_and_says_why(
    machine: Machine,
) -> None:
    machine.set(ota_good_b="1")
    machine.spoil("A")

    said = machine.boot()

    assert "OTA: partition 2 does not load" in said
    assert "KERNEL slot=B" in said
    assert machine.state["ota_rollback"] == "load 2"
    assert "falling back" not in machine.boot()


@pytest.mark.parametrize("good", ["0", "", "2", "yes"])
def test_a_slot_that_is_not_known_to_be_good_is_never_fallen_back_to(
    machine: Machine, good: str
) -> None:
    """Slot B is a whole system that was never committed, such as one that failed verification."""
    machine.set(ota_good_b=good)
    machine.spoil("A")
    before = machine.disk.read_bytes()

    said = machine.boot()

    assert "OTA: partition 3 is not known to be good, and is not started" in said
    assert "OTA: neither slot boots; trying again in 10 s" in said
    assert "KERNEL" not in said
    assert machine.disk.read_bytes() == before


def test_a_slot_that_failed_its_trial_is_not_good(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B, ota_good_b="1")  # by a client that does not know of it
    assert "KERNEL slot=B" in machine.boot()
    assert machine.state["ota_good_b"] == "0"
    assert "KERNEL slot=A" in machine.boot()
    machine.spoil("A")

    assert "KERNEL" not in machine.boot()


def test_what_a_client_committed_that_knows_of_no_good_slots_is_good_and_the_other_is_not(
    machine: Machine,
) -> None:
    """Mender's client may have begun to write the other slot, and does not say so."""
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")

    assert "KERNEL slot=B" in machine.boot()

    assert (machine.state.get("ota_good_a"), machine.state["ota_good_b"]) == (None, "1")
    before = machine.disk.read_bytes()
    assert "KERNEL slot=B" in machine.boot()
    assert machine.disk.read_bytes() == before
    machine.spoil("B")
    assert "OTA: partition 2 is not known to be good, and is not started" in machine.boot()


def test_a_client_that_knows_of_no_good_slots_updates_and_rolls_back(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")  # and at once the next one
    machine.set(upgrade_available="1", bootcount="0", mender_boot_part="2")

    assert "KERNEL slot=A" in machine.boot()
    said = machine.boot()

    assert "OTA: trial of partition 2 was not committed, rolling back" in said
    assert "KERNEL slot=B" in said
    assert "KERNEL slot=B" in machine.boot()


def test_an_environment_of_before_learns_which_slot_is_good(machine: Machine) -> None:
    machine.set(ota_good_a="", ota_good_b="")
    machine.remove(LAST)

    assert "KERNEL slot=A" in machine.boot()

    assert (machine.state["ota_good_a"], machine.state.get("ota_good_b")) == ("1", None)
    assert "KERNEL slot=A" in machine.boot()


def test_a_trial_that_failed_is_not_started_again_even_if_the_old_slot_is_lost(
    machine: Machine,
) -> None:
    machine.spoil("A")
    machine.set(**TRIAL_OF_B | {"bootcount": "1"})

    said = machine.boot()

    assert "partition 2 does not load either" in said
    assert "KERNEL" not in said
    assert "KERNEL" not in machine.boot()


LOST = {
    "zeros": bytes(1024),
    "garbage": b"\xa5" * 1024,
    "nothing in it": encode_block({"bootcount": "0"}),
}


@pytest.mark.parametrize("what", LOST)
@pytest.mark.parametrize("running", ["A", "B"])
def test_without_any_environment_what_ran_last_starts_and_at_the_next_boot_the_other_one(
    machine: Machine, running: str, what: str
) -> None:
    if running == "B":
        machine.set(**COMMITTED_B)
        machine.boot()
    for folder in COPIES:
        machine.write(f"{folder}/env", LOST[what])

    said = [machine.boot() for _ in range(4)]

    other = {"A": "B", "B": "A"}[running]
    for slot, each in zip((running, other) * 2, said, strict=True):
        assert f"KERNEL slot={slot}" in each
    assert "OTA: no valid environment" in said[0]
    assert "OTA: the environment was lost, trying partition" in said[3]


def test_a_trial_that_nothing_is_known_of_is_not_what_ran_last(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B)
    machine.boot()
    for folder in COPIES:
        machine.write(f"{folder}/env", bytes(1024))

    assert "KERNEL slot=A" in machine.boot()


@pytest.mark.parametrize("dead", ["A", "B"])
def test_without_any_environment_a_slot_that_does_not_load_is_passed_over(
    machine: Machine, dead: str
) -> None:
    machine.spoil(dead)
    for folder in COPIES:
        machine.write(f"{folder}/env", bytes(1024))

    alive = {"A": "B", "B": "A"}[dead]
    for _ in range(3):
        assert f"KERNEL slot={alive}" in machine.boot()


def test_without_any_block_at_all_slot_a_is_tried_and_then_slot_b(machine: Machine) -> None:
    machine.remove(LAST)
    for folder in COPIES:
        machine.write(f"{folder}/env", bytes(1024))

    assert "KERNEL slot=A" in machine.boot()
    machine.spoil("A")
    assert "KERNEL slot=B" in machine.boot()


def test_the_search_ends_when_an_agent_says_what_runs(machine: Machine) -> None:
    for folder in COPIES:
        machine.write(f"{folder}/env", encode_block({"bootcount": "0"}))
    machine.boot()
    assert "KERNEL slot=B" in machine.boot()
    assert machine.state["ota_lost"] == "1"
    assert machine.state["ota_rollback"] == "lost 3"
    machine.set(**COMMITTED_B, ota_lost="", ota_rollback="")

    for _ in range(2):
        assert "KERNEL slot=B" in machine.boot()


def test_a_trial_ends_the_search_for_the_slot_that_ran(machine: Machine) -> None:
    """A client that does not know of the search still chooses what starts."""
    for folder in COPIES:
        machine.write(f"{folder}/env", encode_block({"bootcount": "0"}))
    machine.boot()
    machine.set(**TRIAL_OF_B)

    assert "KERNEL slot=B" in machine.boot()
    for _ in range(2):
        assert "KERNEL slot=A" in machine.boot()


# A card that loses power garbles what is near the sector in flight.

GROUPS = [512, 4096, 128 << 10]


def writes(machine: Machine, changes: dict[str, str]) -> list[tuple[str, bytes]]:
    """What a change writes, in order: file and content."""
    data = encode_block(machine.variables(1) | changes)
    return [
        (f"{folder}/{name}", content)
        for folder in reversed(COPIES)
        for name, content in (("lock", LOCKED), ("env", data), ("lock", OPEN))
    ]


@pytest.mark.parametrize("size", GROUPS)
@pytest.mark.parametrize("done", range(7))
def test_whatever_is_garbled_at_a_write_of_a_commit_a_whole_slot_starts_and_is_repaired(
    machine: Machine, done: int, size: int
) -> None:
    """The seventh write is GRUB's own note of what runs."""
    machine.set(**TRIAL_OF_B | {"bootcount": "1", "ota_good_b": "0"})
    planned = [*writes(machine, COMMITTED_B), (LAST, encode_block({"ota_last": "3"}))]
    for path, data in planned[:done]:
        machine.write(path, data)
    place = machine.place(planned[done][0])

    machine.put(place // size * size, b"\xa5" * size)
    said = [machine.boot() for _ in range(2)]

    slot = "B" if done > 2 else "A"  # the second copy is new, or the first one still the old one
    for each in said:
        assert f"KERNEL slot={slot}" in each
        assert "OTA: no valid environment" not in each


@pytest.mark.parametrize("size", GROUPS)
@pytest.mark.parametrize("lost", COPIES)
def test_a_commit_that_was_done_outlives_either_copy(
    machine: Machine, lost: str, size: int
) -> None:
    machine.set(**COMMITTED_B)
    place = machine.place(f"{lost}/env")

    machine.put(place // size * size, b"\xa5" * size)

    assert "KERNEL slot=B" in machine.boot()


@pytest.mark.parametrize("trial", ["2", "01", "1\r", "true"])
@pytest.mark.parametrize("part", ["2", "3"])
def test_a_trial_of_an_unknown_kind_starts_nothing_that_is_not_good(
    machine: Machine, trial: str, part: str
) -> None:
    machine.set(mender_boot_part=part, upgrade_available=trial, ota_good_a="1", ota_good_b="0")

    assert "KERNEL slot=A" in machine.boot()

    assert (machine.state["upgrade_available"], machine.state["ota_rollback"]) == ("0", "odd 2")
    assert "KERNEL slot=A" in machine.boot()


@pytest.mark.parametrize("part", ["5", "3\r"])
@pytest.mark.parametrize("good", ["A", "B"])
def test_without_the_name_of_a_slot_only_the_one_starts_that_is_good(
    machine: Machine, part: str, good: str
) -> None:
    machine.set(
        mender_boot_part=part,
        ota_good_a=str(int(good == "A")),
        ota_good_b=str(int(good == "B")),
    )

    assert f"KERNEL slot={good}" in machine.boot()
    assert f"KERNEL slot={good}" in machine.boot()
    machine.spoil(good)
    assert "KERNEL" not in machine.boot()
