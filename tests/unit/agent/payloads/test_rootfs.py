# SPDX-License-Identifier: Apache-2.0
"""What the bootloader is told of a slot, through the real fw_setenv, boot by boot."""

import io
from pathlib import Path

import pytest

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import trial_of
from ota_agent.bootloader.u_boot import UBoot
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import AgentError, EnvironmentFault
from ota_agent.payloads.rootfs import RootFilesystem
from ota_artifact.header import PayloadHeader
from ota_artifact.memory import Needs, meta_data_of
from ota_artifact.provides import ROOTFS
from ota_artifact.reader import open_artifact
from ota_artifact.spec import PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.scratch import OFFSETS, SIZE, Scratch, scratch
from tests.unit.artifact.writing import sources, spec, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(tmp_path / "device", slot=1 << 20)


def boot_of(device: Scratch) -> Boot:
    slots = Slots(Slot("A", device.slot("A"), 2), Slot("B", device.slot("B"), 3))
    bootloader = UBoot(device.folder / "fw_env.config", OFFSETS)
    return Boot(slots, lambda: slots.of(device.running), bootloader)


def payload_of(device: Scratch) -> RootFilesystem:
    boot = boot_of(device)
    return RootFilesystem(
        boot=boot,
        target=boot.slots.b,
        trail=None,
        is_comparing=True,
        is_reading_back=False,
        sync_bytes=16 << 20,
        sync_interval=10.0,
    )


def test_an_installed_slot_is_tried_once_and_committed(device: Scratch) -> None:
    payload = payload_of(device)
    assert payload.wants_reboot() == "no"

    payload.call("ArtifactInstall")
    assert payload.wants_reboot() == "automatic"
    device.boot()
    payload.call("ArtifactVerifyReboot")
    payload.call("ArtifactCommit")
    device.boot()

    assert device.running == "B"
    assert payload.wants_reboot() == "no"
    assert device.environment["upgrade_available"] == "0"


def test_a_trial_without_a_commit_is_over_with_the_next_boot(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")

    device.boot()
    device.boot()

    assert device.running == "A"
    with pytest.raises(AgentError, match="slot A runs, and slot B was to be tried: the bootloader"
                       " says count of slot B"):  # fmt: skip
        payload.call("ArtifactVerifyReboot")
    payload.call("ArtifactRollback")
    payload.call("ArtifactVerifyRollbackReboot")
    assert boot_of(device).why() == "count of slot B"


def test_a_healthy_trial_that_waits_outlives_a_power_cut(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()

    payload.boot.rearm()
    device.boot()

    assert device.running == "B"
    payload.call("ArtifactVerifyReboot")


def test_an_install_is_told_once_however_often_it_is_repeated(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    before = (device.folder / "environment").read_bytes()

    payload.call("ArtifactInstall")

    assert (device.folder / "environment").read_bytes() == before


def test_a_rollback_before_the_reboot_needs_none(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")

    payload.call("ArtifactRollback")

    assert payload.wants_reboot() == "no"
    device.boot()
    assert device.running == "A"


def test_a_rollback_on_trial_needs_a_reboot(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()

    payload.call("ArtifactRollback")

    assert payload.wants_reboot() == "automatic"
    device.boot()
    assert device.running == "A"
    payload.call("ArtifactVerifyRollbackReboot")


def test_the_reason_of_an_older_rollback_does_not_outlive_the_next_install(
    device: Scratch,
) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()
    device.boot()
    assert "ota_rollback" in device.environment

    payload.call("ArtifactInstall")

    assert "ota_rollback" not in device.environment


def test_a_trial_that_another_program_began_is_not_written_over(device: Scratch) -> None:
    payload_of(device).call("ArtifactInstall")
    device.boot()

    with pytest.raises(EnvironmentFault, match="slot B is on trial"):
        boot_of(device).target()


def test_an_environment_that_u_boot_never_saved_takes_no_update(device: Scratch) -> None:
    boot = boot_of(device)
    boot.bootloader.write({"mender_saveenv_canary": ""})

    with pytest.raises(EnvironmentFault, match="mender_saveenv_canary is not set"):
        boot.target()
    with pytest.raises(EnvironmentFault):
        payload_of(device).call("ArtifactInstall")


def test_a_bootloader_that_would_start_the_other_slot_takes_no_update(device: Scratch) -> None:
    boot = boot_of(device)
    boot.bootloader.write({"mender_boot_part": "3"})

    with pytest.raises(EnvironmentFault, match="slot A runs, and the bootloader would start slot"):
        boot.target()


# Which slots are good, as each copy of the environment has it.


def good(device: Scratch) -> str:
    """Of slots A and B: 1, 0, or - where the environment does not say; the copies agree."""
    said = {"".join(each.get(f"ota_good_{slot}", "-") for slot in "ab") for each in device.copies()}
    assert len(said) == 1, said
    return said.pop()


def test_a_slot_is_not_good_from_before_its_first_byte_until_its_commit(device: Scratch) -> None:
    payload = payload_of(device)
    device.set(ota_good_a="1", ota_good_b="1")

    payload.boot.distrust(payload.target)
    assert good(device) == "10"
    payload.call("ArtifactInstall")
    device.boot()
    assert device.running == "B"
    assert device.environment["ota_good_b"] == "0"
    payload.call("ArtifactCommit")

    assert good(device) == "11"


def test_an_environment_that_does_not_know_good_slots_learns_it(device: Scratch) -> None:
    payload = payload_of(device)
    assert good(device) == "--"

    payload.boot.distrust(payload.target)

    assert good(device) == "10"


def test_a_slot_that_is_not_good_already_costs_no_write(device: Scratch) -> None:
    payload = payload_of(device)
    payload.boot.distrust(payload.target)
    before = (device.folder / "environment").read_bytes()

    payload.boot.distrust(payload.target)

    assert (device.folder / "environment").read_bytes() == before


@pytest.mark.parametrize("moment", ["before the reboot", "on trial", "while it is committed"])
def test_a_slot_that_is_rolled_back_is_not_good(device: Scratch, moment: str) -> None:
    payload = payload_of(device)
    payload.boot.distrust(payload.target)
    payload.call("ArtifactInstall")
    if moment != "before the reboot":
        device.boot()
    if moment == "while it is committed":
        payload.call("ArtifactCommit")

    payload.call("ArtifactRollback")

    assert good(device) == "10"
    assert device.environment["mender_boot_part"] == "2"


def test_a_slot_whose_update_failed_holds_no_filesystem(device: Scratch) -> None:
    payload = payload_of(device)
    payload.boot.distrust(payload.target)
    payload.call("ArtifactInstall")
    device.boot()
    payload.call("ArtifactRollback")

    payload.call("Cleanup")
    assert any(device.slot("B").read_bytes())  # it runs: nothing is done to it
    device.boot()
    payload.call("Cleanup")

    assert not any(device.slot("B").read_bytes())
    assert any(device.slot("A").read_bytes())
    assert good(device) == "10"


def test_a_slot_that_is_tried_next_or_committed_is_not_discarded(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")

    payload.call("Cleanup")
    assert any(device.slot("B").read_bytes())

    device.set(upgrade_available="0")
    payload.call("Cleanup")
    assert any(device.slot("B").read_bytes())


@pytest.mark.parametrize("limit", ["", "0", "-1", "abc", "4294967295", "1\r"])
def test_a_trial_has_a_limit_whatever_was_there(device: Scratch, limit: str) -> None:
    """An older U-Boot, or Mender's, counts without end if there is none."""
    device.set(bootlimit=limit)

    payload_of(device).call("ArtifactInstall")

    assert device.environment["bootlimit"] == "1"


def test_a_limit_that_an_integrator_has_chosen_stays(device: Scratch) -> None:
    device.set(bootlimit="3")

    payload_of(device).call("ArtifactInstall")

    assert device.environment["bootlimit"] == "3"


@pytest.mark.parametrize("why", ["x" * 5000, "half a character \ud800, and \u00e9\n\n", "#=\\"])
def test_a_trial_is_used_up_whatever_the_reason_is(device: Scratch, why: str) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()
    payload.boot.rearm()

    payload.boot.use_up(why)

    assert device.environment["bootcount"] == "1"


def test_a_trial_is_used_up_where_its_reason_has_no_room(device: Scratch) -> None:
    boot = boot_of(device)
    device.set(ota_filler="x" * (SIZE - 900))

    boot.use_up("why " * 50)

    assert device.environment["bootcount"] == "1"


# A bootloader that had lost its state.


def test_a_bootloader_that_had_lost_its_state_keeps_what_runs(device: Scratch) -> None:
    boot = boot_of(device)
    device.set(ota_lost="2", ota_rollback="lost 2", ota_good_a="", ota_good_b="")

    assert boot.settle() == "lost 2"

    assert good(device) == "1-"
    assert "ota_lost" not in device.environment
    assert device.environment["ota_rollback"] == "lost 2"
    assert boot.settle() == ""


def test_an_update_of_a_device_that_had_lost_its_state_ends_that(device: Scratch) -> None:
    device.set(ota_lost="2", ota_good_a="", ota_good_b="")

    payload = payload_of(device)
    payload.boot.distrust(payload.target)

    assert good(device) == "10"
    assert "ota_lost" not in device.environment


def test_a_trial_whose_state_is_lost_still_has_to_prove_itself(device: Scratch) -> None:
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()
    device.set(upgrade_available="0", ota_lost="2", ota_rollback="lost 3")

    environment = device.environment
    assert trial_of(payload.boot.slots, payload.target, "B", environment) == "running"
    payload.call("ArtifactCommit")

    assert "ota_lost" not in device.environment
    assert device.environment["ota_good_b"] == "1"


@pytest.mark.parametrize("part", ["", "5", "3\r", "x" * 5000])
def test_an_environment_that_names_no_slot_names_the_one_that_runs(
    device: Scratch, part: str
) -> None:
    """fw_setenv takes away what ends a line: a value that is written again may be another one."""
    device.set(mender_boot_part=part, mender_boot_part_hex=part or "0")

    assert "the slots are 2 and 3" in boot_of(device).settle()

    for copy in device.copies():
        assert (copy["mender_boot_part"], copy["mender_boot_part_hex"]) == ("2", "2")
        assert copy["upgrade_available"] == "0"


def test_a_commit_that_was_cut_off_between_its_writes_is_completed(device: Scratch) -> None:
    """The older copy has the trial, and would end it if the other one were lost."""
    payload = payload_of(device)
    payload.call("ArtifactInstall")
    device.boot()
    before = device.copies()
    payload.boot.bootloader.write({"upgrade_available": "0", "bootcount": "0", "ota_good_b": "1"})
    assert [each["upgrade_available"] for each in device.copies()].count("1") == 1, before

    assert "out of date" in payload.boot.settle()

    assert [each["upgrade_available"] for each in device.copies()] == ["0", "0"]
    assert payload.boot.settle() == ""


def test_a_slot_that_this_u_boot_could_not_load_is_refused_before_a_byte_is_written(
    device: Scratch, tmp_path: Path
) -> None:
    device.set(kernel_addr_r="0x200000", fdt_addr_r="0x2600000")
    needs = Needs(kernel=0x2500000, device_tree=30_000)
    header = PayloadHeader(type=ROOTFS, meta_data=meta_data_of(needs))
    made = PayloadSpec(header, sources(tmp_path, {"rootfs.ext4": b"slot" * 1024}))
    opened = open_artifact(io.BytesIO(written(spec(made), tmp_path / "made.mender")))
    before = device.slot("B").read_bytes(), device.environment

    with pytest.raises(AgentError, match=r"kernel to 0x200000.*write a new image to the device"):
        payload_of(device).store(next(iter(opened.payloads())), lambda done, size: None)

    assert (device.slot("B").read_bytes(), device.environment) == before


@pytest.mark.parametrize("number", [0, 1])
def test_a_copy_that_is_damaged_is_written_again(device: Scratch, number: int) -> None:
    boot = boot_of(device)
    with (device.folder / "environment").open("r+b") as file:
        file.seek(OFFSETS[number])
        file.write(b"\xa5" * 4096)
    assert not boot.bootloader.is_whole()

    assert "damaged" in boot.settle()

    assert boot.bootloader.is_whole()
    assert len(device.copies()) == 2
    assert boot.settle() == ""


def test_two_damaged_copies_of_u_boots_are_left_to_u_boot(device: Scratch) -> None:
    (device.folder / "environment").write_bytes(b"\xa5" * (1 << 16))

    with pytest.raises(EnvironmentFault, match="no copy is valid"):
        boot_of(device).target()
