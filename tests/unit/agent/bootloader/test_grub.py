# SPDX-License-Identifier: Apache-2.0
"""GRUB's environment: as the factory and grub-editenv write it, and whole after every cut."""

import os
import shutil
from pathlib import Path

import pytest

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.grub import Grub, find_grub
from ota_agent.device.slots import Slot, Slots
from ota_agent.errors import EnvironmentFault
from ota_artifact.grub_block import LAST, decode_block, decode_copy
from ota_artifact.run import run
from ota_board.grub import boot_files, factory_state
from ota_board.load import load_board
from tests.conftest import requires_program
from tests.house.tree import ROOT

BOARD = load_board(ROOT / "boards" / "qemu-x86-64")
FACTORY = factory_state(BOARD)
TRIAL = {"mender_boot_part": "3", "upgrade_available": "1", "bootcount": "0"}
COPIES = ("mender_grubenv1", "mender_grubenv2")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state as it is on the boot partition from the factory on."""
    for name, data in boot_files(BOARD).items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "grub-mender-grubenv"


def as_grub_reads(folder: Path) -> dict[str, str]:
    """What the boot logic takes: the first copy that is whole."""
    for copy in COPIES:
        found = decode_copy(
            (folder / copy / "env").read_bytes(), (folder / copy / "lock").read_bytes()
        )
        if found:
            return found
    raise AssertionError("neither copy is whole")


def test_what_the_factory_wrote_is_read(state: Path) -> None:
    assert Grub(state).read() == FACTORY
    assert Grub(state).findings() == []


def test_a_change_is_in_both_copies_in_place_and_of_the_same_size(state: Path) -> None:
    before = {path: path.stat() for path in state.rglob("*") if path.is_file()}

    Grub(state).write({**TRIAL, "why": "a=b\\c d"})

    assert Grub(state).read() == {**FACTORY, **TRIAL, "why": "a=b\\c d"}
    first, second = ((state / copy / "env").read_bytes() for copy in COPIES)
    assert first == second
    for path, old in before.items():
        now = path.stat()
        assert (now.st_ino, now.st_size) == (old.st_ino, old.st_size)


def test_an_empty_value_takes_a_variable_away(state: Path) -> None:
    Grub(state).write({"why": "count 3"})
    Grub(state).write({"why": ""})

    assert Grub(state).read() == FACTORY


@requires_program("grub-editenv", package="grub-common")
def test_grubs_own_tool_reads_what_we_wrote_and_we_what_it_wrote(state: Path) -> None:
    Grub(state).write(TRIAL)
    env = state / COPIES[0] / "env"

    said = run(("grub-editenv", env, "list"), timeout=10).decode()
    assert dict(line.split("=", 1) for line in said.splitlines()) == {**FACTORY, **TRIAL}

    run(("grub-editenv", env, "set", "bootcount=1"), timeout=10)
    assert Grub(state).read()["bootcount"] == "1"


class _Cut(Exception):
    """The power is gone."""


@pytest.mark.parametrize("torn", [False, True], ids=["before", "in the middle"])
def test_a_cut_at_any_write_leaves_the_old_or_the_new(
    state: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    """After the cut GRUB reads one of both, and the next change makes both copies whole."""
    write = os.pwrite
    left = 0

    def limited(file: int, data: bytes, at: int) -> int:
        nonlocal left
        if left == 0:
            if torn:
                write(file, bytes(data)[: len(data) // 2], at)
            raise _Cut
        left -= 1
        return write(file, data, at)

    old, new = FACTORY, {**FACTORY, **TRIAL}
    seen = []
    for number in range(6):
        Grub(state).write({**old, **dict.fromkeys(set(new) - set(old), "")})
        left = number
        monkeypatch.setattr(os, "pwrite", limited)
        with pytest.raises(_Cut):
            Grub(state).write(TRIAL)
        monkeypatch.setattr(os, "pwrite", write)

        assert as_grub_reads(state) in (old, new)
        assert Grub(state).read() in (old, new)
        seen.append(as_grub_reads(state) == new)
        Grub(state).write({})
        assert all(decode_copy(*_files(state, copy)) for copy in COPIES)
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def _files(folder: Path, copy: str) -> tuple[bytes, bytes]:
    return (folder / copy / "env").read_bytes(), (folder / copy / "lock").read_bytes()


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("name", ["env", "lock", "lock.sha256sum"])
def test_a_damaged_copy_is_passed_over_and_repaired_by_the_next_change(
    state: Path, copy: str, name: str
) -> None:
    path = state / copy / name
    path.write_bytes(b"\0" * path.stat().st_size)

    assert Grub(state).read() == FACTORY
    assert Grub(state).findings() == []
    Grub(state).write(TRIAL)
    assert all(decode_copy(*_files(state, each)) for each in COPIES)


def test_two_damaged_copies_are_a_fault(state: Path) -> None:
    for copy in COPIES:
        (state / copy / "env").write_bytes(b"")

    with pytest.raises(EnvironmentFault, match="neither copy"):
        Grub(state).read()
    (finding,) = Grub(state).findings()
    assert "neither copy" in finding


@pytest.mark.parametrize("name", ["env", "lock", "lock.sha256sum", "."])
def test_a_copy_with_a_file_that_is_gone_or_cut_short_is_made_whole(state: Path, name: str) -> None:
    path = state / COPIES[1] / name
    shutil.rmtree(path) if name == "." else path.write_bytes(b"short")
    assert not Grub(state).is_whole()

    Grub(state).write(TRIAL)

    assert Grub(state).is_whole()
    assert decode_copy(*_files(state, COPIES[1])) == {**FACTORY, **TRIAL}


def test_a_folder_that_is_garbled_is_put_aside(state: Path) -> None:
    folder = state / COPIES[0]
    (folder / "env").rename(folder / "\u00a5\u00a5\u00a5")

    Grub(state).write(TRIAL)

    assert Grub(state).is_whole()
    assert decode_copy(*_files(state, COPIES[0])) == {**FACTORY, **TRIAL}
    assert (state / f"{COPIES[0]}.broken0").is_dir()


@pytest.mark.parametrize("damage", ["garbage", "empty", "gone"])
def test_two_damaged_copies_are_written_again_for_what_runs(state: Path, damage: str) -> None:
    for path in state.rglob("*"):
        if path.is_file():
            path.write_bytes({"garbage": b"\xa5" * 1024}.get(damage, b""))
            if damage == "gone":
                path.unlink()
    running = {"mender_boot_part": "3", "upgrade_available": "0", "bootcount": "0"}

    assert Grub(state).restore(running)

    assert Grub(state).is_whole()
    for copy in COPIES:
        assert decode_copy(*_files(state, copy)) == running
    if damage != "gone":
        assert decode_block((state / LAST).read_bytes()) == {"ota_last": "3"}


def test_a_state_that_is_whole_is_never_written_over_by_a_repair(state: Path) -> None:
    Grub(state).restore({"mender_boot_part": "3"})

    assert Grub(state).read() == FACTORY


def test_without_the_boot_partition_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="is the boot partition mounted"):
        Grub(tmp_path).restore({"mender_boot_part": "3"})

    assert list(tmp_path.iterdir()) == []


def test_a_note_that_grub_cannot_read_any_more_is_written_again_but_not_by_a_trial(
    state: Path,
) -> None:
    (state / LAST).write_bytes(bytes(1024))

    Grub(state).write(TRIAL)
    assert (state / LAST).read_bytes() == bytes(1024)
    Grub(state).write({"upgrade_available": "0"})

    assert decode_block((state / LAST).read_bytes()) == {"ota_last": "3"}


def test_a_state_that_names_no_slot_leaves_a_damaged_note_alone(state: Path) -> None:
    (state / LAST).write_bytes(bytes(1024))

    Grub(state).write({"mender_boot_part": ""})

    assert Grub(state).read().get("mender_boot_part") is None
    assert (state / LAST).read_bytes() == bytes(1024)


def test_a_commit_notes_the_slot_that_runs_and_a_trial_keeps_the_old_note(state: Path) -> None:
    Grub(state).write(TRIAL)
    assert decode_block((state / LAST).read_bytes()) == {"ota_last": "2"}

    Grub(state).write({"upgrade_available": "0"}, is_final=True)

    assert decode_block((state / LAST).read_bytes()) == {"ota_last": "3"}


def test_an_image_without_room_for_a_note_gets_none(state: Path) -> None:
    (state / LAST).unlink()

    Grub(state).write({"mender_boot_part": "3"})

    assert not (state / LAST).exists()
    assert Grub(state).is_whole()


@pytest.mark.parametrize(("name", "value"), [("a b", "1"), ("a", "1\nb=2"), ("a", "x" * 2000)])
def test_what_a_block_cannot_hold_is_refused(state: Path, name: str, value: str) -> None:
    with pytest.raises(EnvironmentFault):
        Grub(state).write({name: value})

    assert Grub(state).read() == FACTORY


@pytest.mark.parametrize(
    "text", ["ENV_DIR = /boot/x\n", "# a\nENV_DIR=/boot/x", "ENV_DIR='/boot/x' \n"]
)
def test_the_folder_is_where_menders_tools_look_for_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)

    assert find_grub(tmp_path / "config") == Grub(Path("/boot/x"))


@pytest.mark.parametrize("text", ["", "ENV_DIR=\n", "OTHER = /x\n"])
def test_a_configuration_without_a_folder_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(EnvironmentFault, match="has no ENV_DIR"):
        find_grub(tmp_path / "config")


def test_a_floor_without_room_still_says_which_slot_is_below_it(state: Path) -> None:
    slots = Slots(Slot("A", Path("/dev/sda2"), 2), Slot("B", Path("/dev/sda3"), 3))
    boot = Boot(slots, lambda: slots.b, Grub(state))
    Grub(state).write({"of_another_tool": "x" * 700, "ota_good_a": "1"})

    with pytest.raises(EnvironmentFault):
        boot.raise_floor("rootfs-image::5 " + "x" * 280, is_only_way=True)

    assert Grub(state).read()["ota_good_a"] == "0"
    assert "ota_floor" not in Grub(state).read()
