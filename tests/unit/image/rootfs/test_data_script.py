# SPDX-License-Identifier: Apache-2.0
"""The script that mounts /data loses nothing that can be kept, in each shell that a slot has."""

from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.disk import mkfs
from tests.conftest import requires_program
from tests.unit.image.rootfs.early_boot import (
    FILES,
    MIB,
    SCRIPTS,
    SHELLS,
    SIZE,
    Device,
    fill,
)

pytestmark = [
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("fakeroot", package="fakeroot"),
]


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The partition of a device in use."""
    partition = tmp_path_factory.mktemp("data") / "p4"
    fill(partition)
    return partition


@pytest.fixture(params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path: Path, full: Path) -> Device:
    device = Device(tmp_path, request.param)
    run(("cp", "--sparse=always", full, device.partition), timeout=10)
    return device


def is_whole(device: Device) -> bool:
    return all((device.data / name).read_text() == text for name, text in FILES.items())


def test_a_healthy_filesystem_is_mounted_as_it_is(device: Device) -> None:
    said = device.starts()

    assert (said, device.state["state"]) == ("", "whole")
    assert is_whole(device)


@pytest.mark.parametrize("code", [8, 12, 32, 127, 137])
def test_an_e2fsck_that_cannot_judge_costs_nothing(device: Device, code: int) -> None:
    before = device.partition.read_bytes()
    device.e2fsck_ends_with(code)

    said = device.starts()

    assert device.state["state"] == "unchecked"
    assert f"/data: is mounted without a check: e2fsck ends with {code}" in said
    assert is_whole(device)
    assert device.partition.read_bytes() == before


@pytest.mark.parametrize(
    ("word", "state"),
    [(0, "unchecked"), (1, "memory"), (2, "read-only")],
    ids=["compatible", "incompatible", "for writing"],
)
def test_a_filesystem_of_a_newer_e2fsprogs_survives(device: Device, word: int, state: str) -> None:
    with device.partition.open("r+b") as file:  # feature bit 20 of one of the three words
        file.seek(1024 + 92 + 4 * word + 2)
        old = file.read(1)[0]
        file.seek(1024 + 92 + 4 * word + 2)
        file.write(bytes([old | 0x10]))
    before = device.partition.read_bytes()

    said = device.starts()

    assert device.state["state"] == state
    assert "unsupported feature" in said
    assert device.partition.read_bytes() == before
    assert state == "memory" or is_whole(device)


@pytest.mark.parametrize("block", [0, 1], ids=["superblock", "descriptors"])
def test_what_is_garbled_at_the_beginning_is_repaired_from_its_backup(
    device: Device, block: int
) -> None:
    device.garble(block)

    said = device.starts()

    assert "/data: is damaged, repairing it" in said
    assert "/data: is repaired; nothing was lost" in said
    assert device.state["state"] == "repaired"
    assert is_whole(device)
    device.boots_again()
    assert device.starts() == ""


def test_a_trial_boot_reads_what_is_garbled_and_repairs_nothing(device: Device) -> None:
    device.garble(1)
    device.is_trial(yes=True)
    before = device.partition.read_bytes()

    said = device.starts()

    assert device.state["state"] == "read-only"
    assert "a trial boot repairs nothing" in said
    assert is_whole(device)
    assert device.partition.read_bytes() == before


@pytest.mark.parametrize("tool", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\n"])
def test_a_boot_whose_environment_cannot_be_read_repairs_nothing(device: Device, tool: str) -> None:
    device.garble(1)
    device.program("fw_printenv", tool)
    before = device.partition.read_bytes()

    device.starts()

    assert device.partition.read_bytes() == before


@pytest.mark.parametrize(("trial", "is_changed"), [("0", True), ("1", False)])
def test_on_a_board_with_grub_its_files_say_whether_it_is_a_trial(
    device: Device, trial: str, is_changed: bool
) -> None:
    device.garble(1)
    device.is_trial(yes=trial == "0")  # of U-Boot, which is not asked
    folder = device.folder / "boot" / "mender_grubenv1"
    folder.mkdir(parents=True)
    (folder / "env").write_text(f"# GRUB\nupgrade_available={trial}\nbootcount=0\n####")
    (device.folder / "grub.config").write_text(f"ENV_DIR = {folder.parent}\n")
    before = device.partition.read_bytes()

    device.starts()

    assert (device.partition.read_bytes() != before) == is_changed


def test_a_trial_boot_does_not_delete_the_journal_of_a_garbled_inode_table(device: Device) -> None:
    said = run(("dumpe2fs", device.partition), timeout=10).decode()
    device.garble(int(said.split("Inode table at ")[1].split("-")[0]))
    device.is_trial(yes=True)
    before = device.partition.read_bytes()

    device.starts()

    assert device.state["state"] in ("read-only", "memory")
    assert device.partition.read_bytes() == before


def test_a_repair_that_costs_something_does_not_say_repaired(device: Device) -> None:
    said = run(("dumpe2fs", device.partition), timeout=10).decode()
    table = int(said.split("Inode table at ")[1].split("-")[0])
    device.garble(table)
    first = device.partition.read_bytes()[:MIB]

    said = device.starts()

    assert "nothing was lost" not in said
    assert "is repaired, but something was lost" in said
    assert device.state["state"] == "damaged"
    aside = device.data / "lost+found" / "before-repair" / "first-mib"
    assert aside.read_bytes() == first


def test_folders_that_lost_their_names_get_them_again(device: Device) -> None:
    said = run(("debugfs", "-R", "blocks /", device.partition), timeout=10).decode()
    device.garble(int(said.split()[0]))

    device.starts()

    assert device.state["state"] == "damaged"
    for name in ("ota/state.db", "ota/key.pem", "etc/machine-id"):
        assert (device.data / name).read_text() == FILES[name]
    nameless = [each for each in (device.data / "lost+found").glob("#*") if each.is_file()]
    assert [each.read_text() for each in nameless] == [FILES["kept"]]


@pytest.mark.parametrize(("is_trial", "state"), [(False, "damaged"), (True, "unchecked")])
def test_errors_at_which_e2fsck_stops_are_repaired_and_not_for_ever_unchecked(
    device: Device, is_trial: bool, state: str
) -> None:
    said = run(("debugfs", "-R", "imap /ota/state.db", device.partition), timeout=10).decode()
    device.garble(int(said.split("located at block ")[1].split(",")[0]))
    run(("debugfs", "-w", "-R", "ssv state 2", device.partition), timeout=10)  # the kernel met them
    device.is_trial(yes=is_trial)

    device.starts()

    assert device.state["state"] == state
    assert (device.data / "kept").read_text() == FILES["kept"]
    if not is_trial:
        device.boots_again()
        assert device.starts() == ""


@pytest.mark.parametrize(("is_trial", "state"), [(False, "repaired"), (True, "read-only")])
def test_what_the_kernel_cannot_read_is_repaired_although_it_is_marked_as_clean(
    device: Device, is_trial: bool, state: str
) -> None:
    device.has_errors()
    device.is_trial(yes=is_trial)

    device.starts()

    assert device.state["state"] == state
    assert is_whole(device)


@pytest.mark.parametrize("content", [b"\0", b"\xa5"])
def test_a_partition_that_holds_nothing_gets_a_filesystem_with_backups(
    device: Device, content: bytes
) -> None:
    device.holds(content, SIZE)

    said = device.starts()

    assert "/data: cannot be repaired, making it again; what was on it is lost" in said
    assert device.state["state"] == "new"
    assert (device.data / "lost+found/before-repair/first-mib").read_bytes() == content * MIB
    dump = run(("dumpe2fs", device.partition), timeout=10).decode()
    assert "Backup superblock at 8192" in dump
    device.boots_again()
    assert device.starts() == ""


@pytest.mark.parametrize("content", [b"\0", b"\xa5", b"LUKS\xba\xbe\0\1"])
def test_a_trial_boot_never_formats(device: Device, content: bytes) -> None:
    device.holds(content)
    device.is_trial(yes=True)
    before = device.partition.read_bytes()

    said = device.starts()

    assert device.state["state"] == "memory"
    assert "/data: is in memory, and what is written there is lost at the next boot" in said
    assert device.partition.read_bytes() == before


def test_an_encrypted_partition_is_left_alone(device: Device) -> None:
    device.holds(b"LUKS\xba\xbe\0\1")
    before = device.partition.read_bytes()

    device.starts()

    assert device.state["state"] == "memory"
    assert device.partition.read_bytes() == before


@pytest.mark.parametrize("codes", [(4,), (4, 4, 4, 8), (4, 137), (12,)])
def test_what_still_mounts_is_not_made_again(device: Device, codes: tuple[int, ...]) -> None:
    device.e2fsck_ends_with(*codes)
    before = device.partition.read_bytes()

    device.starts()

    assert device.state["state"] in ("read-only", "unchecked")
    assert is_whole(device)
    assert device.partition.read_bytes() == before


@pytest.mark.parametrize(("codes", "state"), [((4,), "new"), ((4, 4, 4, 8, 4), "memory")])
def test_it_is_made_again_only_if_errors_are_left_for_certain_and_nothing_mounts(
    device: Device, codes: tuple[int, ...], state: str
) -> None:
    device.e2fsck_ends_with(*codes)
    for block in (1, 8193):
        device.garble(block)
    before = device.partition.read_bytes()

    device.starts()

    assert device.state["state"] == state
    if state == "memory":
        assert device.partition.read_bytes() == before
    else:
        aside = device.data / "lost+found" / "before-repair"
        assert (aside / "first-mib").read_bytes() == before[:MIB]
        assert (aside / "superblock-8192").read_bytes() == before[8192 * 4096 : 8194 * 4096]


def test_a_cut_after_mke2fs_loses_nothing_that_was_set_aside(device: Device) -> None:
    device.holds(b"\xa5")
    device.program("sync", "#!/bin/sh\n")
    text = device.folder.joinpath("lib", "data").read_text()
    cut = text.replace('${room}k >"$log/mke2fs" 2>&1 &&', '${room}k >"$log/mke2fs" 2>&1; exit;')
    assert cut != text
    device.folder.joinpath("lib", "cut").write_text(cut)

    device.starts(script="cut")
    device.boots_again()
    device.starts()

    assert (device.data / "lost+found/before-repair/first-mib").read_bytes() == b"\xa5" * MIB
    assert (device.folder / "log" / "resized").exists()
    device.boots_again()
    assert "before-repair" not in device.starts()


def test_the_device_makes_the_filesystem_that_the_factory_makes() -> None:
    script = (SCRIPTS / "data").read_text()

    assert f"features=none,{mkfs._FEATURES},has_journal\n" in script
    assert f"group_size={mkfs.GROUPS[0]} " in script
    assert all(f" 4096:{group}" in script for group in mkfs.GROUPS)


def test_a_trial_boot_does_not_grow_anything(device: Device) -> None:
    device.has_size(2 * SIZE)
    (device.folder / "sys/class/block/disk/size").write_text(f"{4 * SIZE // 512}\n")
    device.is_trial(yes=True)

    said = device.starts()

    assert said == ""
    assert not (device.folder / "log" / "resized").exists()


def test_a_filesystem_grows_into_its_partition(device: Device) -> None:
    device.has_size(2 * SIZE)

    device.starts()

    assert (device.folder / "log" / "resized").read_text() == f"{device.partition}\n"
