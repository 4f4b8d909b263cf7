# SPDX-License-Identifier: Apache-2.0
"""The boot logic of every board, with its own environment, addresses and layout.

It tests U-Boot's code for the environment, the boot count, the shell, ext4 and `sysboot`, on a card
that is a file. A run ends where the kernel would start. Not covered: `booti` and compressed
kernels, which the sandbox lacks, the drivers of the boards, and a reset; tests/boot covers these
for qemu-arm64.
"""

import re

import pytest

from ota_artifact.image.filesystem import open_filesystem
from tests.boot.machine import TRIAL_OF_B, Machine
from tests.sandbox.conftest import BOARDS, Start
from tests.sandbox.started import SANDBOX, blank, environment, run_b, started

pytestmark = [*SANDBOX]

FACTS = {
    "ethaddr": "02:00:00:00:00:01",
    "eth1addr": "02:00:00:00:00:02",
    "usbethaddr": "02:00:00:00:00:03",
    "serial#": "1234BBBK5678",
    "fdtfile": "found-out.dtb",
    "board_name": "A335BNLT",
    "board_rev": "00C0",
    "board_serial": "1234BBBK5678",
    "board_revision": "0xA020D3",
    "board_rev_scheme": "1",
}
"""What the code of raspberrypi3 and beaglebone-black detects about the board.

Source: U-Boot, board/raspberrypi/rpi/rpi.c, board/ti/common/board_detect.c, board/ti/am335x/board.c
"""


def remove(machine: Machine, slot: str, path: str) -> None:
    area = machine.board.layout.partition(slot)
    open_filesystem(machine.disk, area.offset, area.size).remove(path)


def test_first_boot_proves_the_environment_and_starts_slot_a(machine: Machine) -> None:
    assert "mender_saveenv_canary" not in machine.variables()

    said = machine.boot()

    assert re.search(r"Loading Environment from MMC\.\.\. (Reading from .*)?OK\n", said)
    assert started(said) == "A"
    assert machine.variables()["mender_saveenv_canary"] == "1"


def test_the_kernel_is_told_which_boot_logic_started_it(machine: Machine) -> None:
    assert re.search(r"append: root=/dev/mmcblk0p2 .* ota\.logic=1 ", machine.boot())


def test_a_number_that_another_u_boot_has_saved_is_not_used(machine: Machine) -> None:
    machine.set(ota_logic="7")

    assert " ota.logic=1 " in machine.boot()


def test_a_boot_that_is_not_a_trial_writes_nothing(machine: Machine) -> None:
    machine.boot()
    before = environment(machine)

    assert [started(machine.boot()) for _ in range(3)] == ["A", "A", "A"]

    assert environment(machine) == before


def test_a_trial_is_counted_once(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)

    said = machine.boot()

    assert started(said) == "B"
    assert "OTA: trial boot of partition 3" in said
    state = machine.variables()
    assert (state["bootcount"], state["upgrade_available"]) == ("1", "1")
    assert "ota_rollback" not in state


def test_a_trial_that_is_not_committed_rolls_back_and_says_why(machine: Machine) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()

    said = machine.boot()

    assert "OTA: trial of partition 3 was not committed, rolling back" in said
    assert started(said) == "A"
    state = machine.variables()
    assert (state["upgrade_available"], state["bootcount"]) == ("0", "0")
    assert (state["mender_boot_part"], state["mender_boot_part_hex"]) == ("2", "2")
    assert state["ota_rollback"] == "count 3"


def test_a_trial_that_is_committed_stays(machine: Machine) -> None:
    run_b(machine)
    before = environment(machine)

    assert [started(machine.boot()) for _ in range(2)] == ["B", "B"]

    assert environment(machine) == before
    assert "ota_rollback" not in machine.variables()


@pytest.mark.parametrize(
    "broken", ["blank", "/boot/extlinux/extlinux.conf", "/boot/vmlinuz", "/boot/initrd.img"]
)
def test_a_trial_that_does_not_load_falls_back_in_the_same_power_cycle(
    machine: Machine, broken: str
) -> None:
    machine.boot()
    if broken == "blank":
        blank(machine, "B")
    else:
        remove(machine, "B", broken)
    machine.set(**TRIAL_OF_B)

    said = machine.boot()

    assert "OTA: partition 3 does not load" in said
    assert started(said) == "A"
    state = machine.variables()
    assert state["ota_rollback"] == "load 3"
    assert (state["mender_boot_part"], state["upgrade_available"]) == ("2", "0")
    assert started(machine.boot()) == "A"


def test_two_dead_slots_end_in_a_message_not_in_a_prompt(machine: Machine) -> None:
    machine.boot()
    for slot in ("A", "B"):
        blank(machine, slot)

    said = machine.boot(until="trying again in 10 s")

    assert "OTA: neither slot boots" in said
    assert "=>" not in said


def test_logic_and_places_that_an_older_u_boot_saved_are_not_used(machine: Machine) -> None:
    machine.boot()
    logic = ("main", "limit", "try", "back", "swap", "save", "board", "good", "is_good", "search")
    places = {"ota_disk": "mmc 7", "ota_linux": "/dev/sda", "ota_a": "4", "kernel_addr_r": "1"}
    machine.set(
        ota_vars="ota_none", **{f"ota_{each}": "echo OLD LOGIC" for each in logic}, **places
    )

    said = [machine.boot()]
    machine.set(**TRIAL_OF_B)
    said += [machine.boot(), machine.boot()]

    assert [started(each) for each in said] == ["A", "B", "A"]
    assert "OLD LOGIC" not in "".join(said)


def test_variables_that_identify_a_board_are_never_saved(start: Start) -> None:
    machine = start({**FACTS, "other": "saved with the rest"})

    for slot in "ABA":
        assert started(machine.boot()) == slot
        assert machine.variables()["other"] == "saved with the rest"
        assert not set(FACTS) & set(machine.variables())
        if slot == "A":
            machine.set(**TRIAL_OF_B)


@pytest.mark.parametrize("number", [0, 1], ids=["first copy", "second copy"])
def test_one_copy_of_the_environment_is_enough(machine: Machine, number: int) -> None:
    machine.boot()
    machine.set(**TRIAL_OF_B)
    machine.boot()
    machine.set(upgrade_available="0", bootcount="0")
    machine.spoil(machine.board.layout.environment[number].offset)

    assert started(machine.boot()) == "B"


@pytest.mark.parametrize("part", ["", "4", "abc"])
def test_an_unknown_slot_counts_as_a(machine: Machine, part: str) -> None:
    machine.boot()
    machine.set(mender_boot_part=part)

    assert started(machine.boot()) == "A"


@pytest.mark.parametrize("board_name", ["raspberrypi3"])
@pytest.mark.parametrize(
    ("model", "device_tree"),
    [
        ("3 Model B+", "bcm2837-rpi-3-b-plus.dtb"),
        ("3 Model B", "bcm2837-rpi-3-b.dtb"),
        ("Zero 2 W", "bcm2837-rpi-3-b.dtb"),
    ],
)
def test_raspberrypi3_takes_the_slots_device_tree_by_the_model(
    start: Start, model: str, device_tree: str
) -> None:
    machine = start({"board_name": model, "fdtfile": "firmware.dtb", "fdt_addr": "0x2eff0000"})
    first = machine.boot()
    machine.set(**TRIAL_OF_B)

    # Each of these saves first, which removes the model from the environment for a moment.
    for slot, said in zip("ABA", (first, machine.boot(), machine.boot()), strict=True):
        assert started(said) == slot
        assert f"Retrieving file: /boot/dtbs/{device_tree}\n" in said
        assert "Booting using the fdt blob at 0x6600000\n" in said


@pytest.mark.parametrize("board_name", ["beaglebone-black"])
@pytest.mark.parametrize("model", ["A335BNLT", "A335BONE", ""])
def test_beaglebone_black_takes_its_device_tree_from_the_slot(start: Start, model: str) -> None:
    machine = start({"board_name": model, "fdtfile": "am335x-evm.dtb"} if model else None)

    said = machine.boot()

    assert started(said) == "A"
    assert "Retrieving file: /boot/dtbs/am335x-boneblack.dtb\n" in said
    assert "Booting using the fdt blob at 0x88000000\n" in said


@pytest.mark.parametrize(
    ("board_name", "device_tree"),
    [
        ("beaglebone-black", "am335x-boneblack.dtb"),
        ("raspberrypi3", "bcm2837-rpi-3-b.dtb"),
    ],
)
def test_a_slot_without_the_boards_device_tree_falls_back(
    machine: Machine, device_tree: str
) -> None:
    machine.boot()
    remove(machine, "B", f"/boot/dtbs/{device_tree}")
    machine.set(**TRIAL_OF_B)

    said = machine.boot()

    assert started(said) == "A"
    assert machine.variables()["ota_rollback"] == "load 3"


def test_the_boards_with_u_boot_are_all_here() -> None:
    assert {"qemu-arm64", "raspberrypi3", "beaglebone-black"} <= set(BOARDS)
