# SPDX-License-Identifier: Apache-2.0
"""The boot logic of GRUB: trial, commit, rollback, both files of state, every broken slot."""

import pytest

from ota_artifact.grub_block import LOCKED, OPEN, encode_block
from ota_board.grub import COPIES, ENTRY
from tests.conftest import requires_program
from tests.grub.emulator import COMMITTED_B, TRIAL_OF_B, Machine

pytestmark = [
    pytest.mark.boot,
    requires_program("grub-emu", package="grub-emu"),
    requires_program("sfdisk", package="fdisk"),
    requires_program("mcopy", package="mtools"),
]


def test_the_factory_image_starts_slot_a_with_the_slots_own_arguments(machine: Machine) -> None:
    said = machine.boot()

    assert "KERNEL slot=A root=/dev/vda2 ota.logic=1\n" in said
    assert "OTA: booting partition 2" in said
    assert "error" not in said


def test_a_boot_that_is_not_a_trial_writes_nothing(machine: Machine) -> None:
    before = machine.disk.read_bytes()

    assert "KERNEL slot=A" in machine.boot()

    assert machine.disk.read_bytes() == before


def test_a_trial_that_is_not_committed_rolls_back(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B)

    assert "KERNEL slot=B" in machine.boot()

    assert machine.state["bootcount"] == "1"
    assert machine.state["upgrade_available"] == "1"

    said = machine.boot()

    assert "was not committed, rolling back" in said
    assert "KERNEL slot=A" in said
    assert machine.state == {
        "bootcount": "0",
        "bootlimit": "1",
        "mender_boot_part": "2",
        "ota_good_a": "1",
        "ota_good_b": "0",
        "ota_rollback": "count 3",
        "upgrade_available": "0",
    }


def test_a_trial_that_is_committed_stays(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", ota_good_b="1")

    for _ in range(2):
        assert "KERNEL slot=B" in machine.boot()
        before = machine.disk.read_bytes()
        assert "KERNEL slot=B" in machine.boot()
        assert machine.disk.read_bytes() == before

    assert machine.state["mender_boot_part"] == "3"
    assert "ota_rollback" not in machine.state


def test_a_rolled_back_slot_can_be_tried_again(machine: Machine) -> None:
    for _ in range(2):
        machine.set(**TRIAL_OF_B, ota_rollback="")
        assert "KERNEL slot=B" in machine.boot()
        assert "KERNEL slot=A" in machine.boot()

    assert machine.state["ota_rollback"] == "count 3"


@pytest.mark.parametrize("broken", ["blank", "/boot/vmlinuz", "/boot/initrd.img", ENTRY])
def test_a_trial_that_does_not_load_falls_back_in_the_same_power_cycle(
    machine: Machine, broken: str
) -> None:
    if broken == "blank":
        machine.spoil("B")
    else:
        machine.remove(broken, partition="B")
    machine.set(**TRIAL_OF_B)

    said = machine.boot()

    assert "OTA: partition 3 does not load" in said
    assert "KERNEL slot=A" in said
    assert machine.state["ota_rollback"] == "load 3"
    assert machine.state["mender_boot_part"] == "2"
    assert (machine.state["upgrade_available"], machine.state["bootcount"]) == ("0", "0")


def test_two_broken_slots_end_in_a_message_and_a_reset_not_in_a_prompt(machine: Machine) -> None:
    machine.spoil("A")
    machine.spoil("B")

    said = machine.boot()

    assert "OTA: neither slot boots; trying again in 10 s" in said
    assert "KERNEL" not in said
    assert "grub>" not in said


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("damage", ["locked", "no lock", "no env", "garbage", "blank", "cut short"])
def test_one_copy_of_the_environment_is_enough(machine: Machine, number: int, damage: str) -> None:
    machine.set(**COMMITTED_B)
    folder = COPIES[number - 1]
    match damage:
        case "locked":
            machine.write_copy(number, {"mender_boot_part": "2"}, is_locked=True)
        case "no lock" | "no env":
            machine.remove(f"{folder}/{damage.removeprefix('no ')}")
        case _:
            data = {"garbage": b"\xa5" * 1024, "blank": bytes(1024), "cut short": b"# GRUB"}
            machine.write(f"{folder}/env", data[damage])

    assert "KERNEL slot=B" in machine.boot()


@pytest.mark.parametrize("number", [1, 2])
def test_a_copy_that_was_left_locked_is_repaired_from_the_other(
    machine: Machine, number: int
) -> None:
    machine.set(**COMMITTED_B)
    machine.write_copy(number, machine.variables(1) | {"mender_boot_part": "2"}, is_locked=True)

    said = machine.boot()

    assert "is repaired" in said
    assert machine.state["mender_boot_part"] == "3"
    assert "is repaired" not in machine.boot()


def test_two_copies_left_locked_are_better_than_none(machine: Machine) -> None:
    variables = machine.state | COMMITTED_B
    for number in (1, 2):
        machine.write_copy(number, variables, is_locked=True)

    assert "KERNEL slot=B" in machine.boot()
    assert machine.state["mender_boot_part"] == "3"


@pytest.mark.parametrize("part", ["", "1", "4", "99", "abc", "3; reboot", "${ota_b}"])
def test_an_unknown_slot_counts_as_a(machine: Machine, part: str) -> None:
    machine.set(mender_boot_part=part)

    assert "KERNEL slot=A" in machine.boot()


def test_nothing_but_the_state_is_taken_from_the_environment(machine: Machine) -> None:
    machine.set(ota_a="9", ota_b="9", root="hd9", prefix="(hd9)", ota_linux="/dev/sdz")

    assert "KERNEL slot=A" in machine.boot()


def test_a_trial_that_cannot_be_counted_is_not_started(machine: Machine) -> None:
    machine.set(**TRIAL_OF_B)
    before = machine.disk.read_bytes()

    said = machine.boot(is_read_only=True)

    assert "OTA: the trial cannot be counted, going back" in said
    assert "KERNEL slot=A" in said
    assert machine.disk.read_bytes() == before


def test_of_two_copies_the_first_is_used_and_the_second_is_repaired_from_it(
    machine: Machine,
) -> None:
    machine.write_copy(2, machine.variables(1) | COMMITTED_B)

    assert "KERNEL slot=A" in machine.boot()
    assert machine.state["mender_boot_part"] == "2"


@pytest.mark.parametrize("done", range(7))
def test_a_commit_that_is_cut_off_at_any_write_ends_on_a_slot_that_the_state_names(
    machine: Machine, done: int
) -> None:
    trial = machine.variables(1) | TRIAL_OF_B | {"bootcount": "1"}
    committed = trial | {"upgrade_available": "0"}
    machine.set(**trial)
    first, second = COPIES
    writes = [
        (f"{folder}/{name}", data)
        for folder in (second, first)
        for name, data in (("lock", LOCKED), ("env", encode_block(committed)), ("lock", OPEN))
    ]
    for path, data in writes[:done]:
        machine.write(path, data)

    said = machine.boot()

    is_committed = done > 3  # the second copy is new, the first one locked or new
    assert f"KERNEL slot={'B' if is_committed else 'A'}" in said
    assert machine.state["mender_boot_part"] == ("3" if is_committed else "2")
    assert machine.state["upgrade_available"] == "0"


ESP = "(hd0,gpt1)/EFI/BOOT"


@pytest.mark.parametrize(
    "places",
    [
        pytest.param({"cmdpath": ESP}, id="only cmdpath"),
        pytest.param({"fw_path": ESP}, id="only fw_path"),
        pytest.param({"prefix": "(hd0,gpt1)/EFI/debian"}, id="only prefix"),
        pytest.param({"root": "hd0,gpt1"}, id="only root"),
        pytest.param(
            {"fw_path": ESP, "prefix": "(memdisk)/grub", "root": "memdisk"}, id="Debian 13"
        ),
        pytest.param({"cmdpath": "", "prefix": "", "root": "hd0,gpt1"}, id="empty ones"),
        pytest.param({"cmdpath": "(tftp,10.0.0.1)/EFI", "root": "hd0,gpt1"}, id="a network"),
        pytest.param({"cmdpath": "(cd0)/EFI/BOOT", "prefix": ESP, "root": "cd0"}, id="a CD"),
        pytest.param({"cmdpath": "(hd9,gpt1)/EFI", "root": "hd0,gpt1"}, id="a disk without state"),
        pytest.param({"cmdpath": "(hd0,gpt2)/EFI", "fw_path": ESP}, id="a part without state"),
    ],
)
def test_state_and_slots_are_found_by_any_variable_that_says_where_grub_is(
    machine: Machine, places: dict[str, str]
) -> None:
    machine.set(**TRIAL_OF_B)

    assert "KERNEL slot=B" in machine.boot(places=places)

    assert machine.state["bootcount"] == "1"
    assert "KERNEL slot=A" in machine.boot(places=places)
    assert machine.state["ota_rollback"] == "count 3"


def test_where_no_state_is_found_the_slots_on_the_disk_of_root_are_tried(machine: Machine) -> None:
    for folder in COPIES:
        for name in ("env", "lock"):
            machine.remove(f"{folder}/{name}")

    said = machine.boot(places={"cmdpath": "(hd9,gpt1)/EFI/BOOT", "root": "hd0,gpt1"})

    assert "OTA: no valid environment" in said
    assert "KERNEL slot=A" in said
