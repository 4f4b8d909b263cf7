# SPDX-License-Identifier: Apache-2.0
"""The environment on an image: read and changed in both copies, by us and by libubootenv."""

from pathlib import Path

import pytest

from ota_artifact.grub_block import FILES, LOCKED, decode_block
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.run import run
from ota_board.environment import decode, encode
from ota_board.grub import APART, CONFIGURATIONS, COPIES, FOLDER, LAST, boot_files
from ota_image.cli.main import main
from ota_image.disk.boot_state import change, find_state, restore, scan
from ota_image.disk.compose import Parts
from ota_image.disk.image import open_disk
from ota_image.errors import ImageError
from tests.conftest import requires_program
from tests.simulators.holding import another_holds
from tests.unit.image.disk.small import MIB, composed, ext4, small_board, variables

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
FIRST, SECOND, SIZE = 0x400000, 0x800000, 0x20000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    board = small_board(tmp_path, "qemu-arm64")
    return composed(
        tmp_path,
        board.layout,
        Parts(rootfs=ext4(tmp_path / "rootfs.ext4"), variables=variables(board)),
    )


@pytest.fixture
def config(image: Path) -> Path:
    """libubootenv's, for the image."""
    path = image.with_name("fw_env.config")
    path.write_text(f"{image} {FIRST:#x} {SIZE:#x}\n{image} {SECOND:#x} {SIZE:#x}\n")
    return path


def put(image: Path, offset: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def copies(image: Path) -> list[tuple[int | None, dict[str, str]]]:
    data = image.read_bytes()
    found = [decode(data[at : at + SIZE], is_redundant=True) for at in (FIRST, SECOND)]
    return [(copy.flag, copy.variables) for copy in found if copy]


def test_a_change_is_in_both_copies_and_the_older_one_was_written_first(image: Path) -> None:
    (_, before), _ = copies(image)

    change(open_disk(image), {"upgrade_available": "1", "bootlimit": ""})

    after = {**before, "upgrade_available": "1"}
    del after["bootlimit"]
    assert copies(image) == [(3, after), (2, after)]


@pytest.mark.parametrize(
    ("first", "second", "flags"), [(255, 254, [1, 0]), (255, 0, [1, 2]), (0, 255, [2, 1])]
)
def test_the_counter_goes_round(image: Path, first: int, second: int, flags: list[int]) -> None:
    put(image, FIRST, encode({"at": "first"}, SIZE, flag=first))
    put(image, SECOND, encode({"at": "second"}, SIZE, flag=second))

    change(open_disk(image), {"a": "b"})

    assert [flag for flag, _ in copies(image)] == flags


def test_a_damaged_copy_is_mended(image: Path) -> None:
    put(image, FIRST, bytes(SIZE))

    change(open_disk(image), {"a": "b"})

    assert [flag for flag, _ in copies(image)] == [1, 2]


def test_a_board_that_runs_is_not_changed(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image.read_bytes()

    with another_holds(image):
        code = main(["env", "set", str(image), "upgrade_available=1"])

    assert code == 3
    assert "is using it; wait until it has ended" in capsys.readouterr().err
    assert image.read_bytes() == before


def test_without_a_valid_copy_nothing_is_written(image: Path) -> None:
    for offset in (FIRST, SECOND):
        put(image, offset, bytes(SIZE))
    before = image.read_bytes()

    with pytest.raises(ImageError, match="no valid environment"):
        change(open_disk(image), {"a": "b"})

    assert image.read_bytes() == before


@requires_program("fw_printenv", package="libubootenv-tool")
def test_libubootenv_reads_what_we_write(image: Path, config: Path) -> None:
    change(open_disk(image), {"mender_boot_part": "3", "ota_note": "a b=c"})

    said = run(("fw_printenv", "-c", config, "mender_boot_part", "ota_note"), timeout=10)

    assert said.decode().splitlines() == ["mender_boot_part=3", "ota_note=a b=c"]


@requires_program("fw_setenv", package="libubootenv-tool")
def test_we_read_what_libubootenv_writes(image: Path, config: Path) -> None:
    for value in ("1", "2"):
        run(("fw_setenv", "-c", config, "upgrade_available", value), timeout=10)

        state = find_state(open_disk(image))
        assert state
        assert state.variables["upgrade_available"] == value


@requires_program("mkenvimage", package="u-boot-tools")
def test_we_read_what_mkenvimage_makes(image: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("made_by=mkenvimage\n")
    run(("mkenvimage", "-r", "-s", f"{SIZE:#x}", "-o", tmp_path / "env", text), timeout=10)
    for offset in (FIRST, SECOND):
        put(image, offset, (tmp_path / "env").read_bytes())

    state = find_state(open_disk(image))

    assert state
    assert state.variables == {"made_by": "mkenvimage"}


@pytest.mark.parametrize("size", [0x2000, 0x4000, 0x40000])
@pytest.mark.parametrize("flag", [None, 7])
def test_an_environment_is_found_wherever_it_is(
    tmp_path: Path, size: int, flag: int | None
) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(32 * MIB))
    put(disk, 0x310000, encode({"bootcmd": "run a"}, size, flag=flag))

    (found,) = scan(disk)

    assert (found.offset, found.size, found.copy.flag) == (0x310000, size, flag)


def test_get_prints_what_is_asked_for(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "set", str(image), "mender_boot_part=3"]) == 0
    assert main(["env", "get", str(image), "mender_boot_part", "bootlimit"]) == 0
    assert capsys.readouterr().out == "mender_boot_part=3\nbootlimit=1\n"

    assert main(["env", "get", str(image)]) == 0
    assert "altbootcmd=" in capsys.readouterr().out

    assert main(["env", "get", str(image), "nothing"]) == 2
    assert "nothing is not set" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["upgrade_available", "=1"])
def test_a_change_without_a_name_or_a_value_is_refused(
    image: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["env", "set", str(image), wrong]) == 2
    assert "must be NAME=VALUE" in capsys.readouterr().err


def grub_image(folder: Path) -> Path:
    board = small_board(folder, "qemu-x86-64")
    return composed(
        folder, board.layout, Parts(rootfs=ext4(folder / "r.ext4"), boot=boot_files(board))
    )


def test_grubs_copies_are_read_and_written(tmp_path: Path) -> None:
    image = grub_image(tmp_path)

    change(open_disk(image), {"mender_boot_part": "3", "bootlimit": ""})

    state = find_state(open_disk(image))
    assert state
    assert state.source == "files"
    assert [copy and copy.variables for copy in state.copies] == [
        {
            "mender_boot_part": "3",
            "bootcount": "0",
            "upgrade_available": "0",
            "ota_good_a": "1",
            "ota_good_b": "0",
        }
    ] * 2


def test_grubs_note_names_the_slot_that_runs_and_not_one_on_trial(tmp_path: Path) -> None:
    image = grub_image(tmp_path)
    trial = {"mender_boot_part": "3", "upgrade_available": "1"}
    noted = []

    for changes in (trial, {"upgrade_available": "0"}):
        change(open_disk(image), changes)
        boot = open_disk(image).boot
        assert boot
        noted.append(decode_block(boot.read(LAST) or b""))

    assert noted == [{"ota_last": "2"}, {"ota_last": "3"}]


def test_a_copy_of_grubs_that_is_locked_is_not_read_and_is_mended(tmp_path: Path) -> None:
    image = grub_image(tmp_path)
    lock = tmp_path / "lock"
    lock.write_bytes(LOCKED)
    place = f"{image}@@4M", "::/grub-mender-grubenv/mender_grubenv1/lock"
    run(("mcopy", "-o", "-i", place[0], lock, place[1]), timeout=10)

    before = find_state(open_disk(image))
    change(open_disk(image), {"upgrade_available": "1"})
    after = find_state(open_disk(image))

    assert before
    assert before.newest == 1
    assert after
    assert after.newest == 0
    assert after.variables["upgrade_available"] == "1"


# Copies that are apart, and copies that are lost.


def places(image: Path) -> dict[str, tuple[int, int]]:
    """The first and the last byte on the disk of each copy of GRUB's, and of its note."""
    boot = open_disk(image).boot
    assert boot
    filesystem = boot.open()
    assert isinstance(filesystem, FatFilesystem)
    found = {}
    for path in APART:
        names = (f"{path}/{name}" for name in FILES) if path in COPIES else (path,)
        pieces = [place for name in names for place in filesystem.places(name)]
        found[path] = min(each[0] for each in pieces), max(sum(each) - 1 for each in pieces)
    return found


def groups(image: Path, size: int) -> dict[str, set[int]]:
    """What a card erases at once, by number, where each copy is."""
    return {
        path: set(range(first // size, last // size + 1))
        for path, (first, last) in places(image).items()
    }


@pytest.mark.parametrize("size", [512, 4096, 128 << 10])
def test_grubs_copies_share_nothing_that_a_card_erases_at_once(tmp_path: Path, size: int) -> None:
    image = grub_image(tmp_path)
    found = groups(image, size)

    assert not found[APART[0]] & found[APART[1]]
    assert not found[APART[2]] & (found[APART[0]] | found[APART[1]])
    # And neither the table, nor the filesystem's own, nor GRUB's configuration is in one of them.
    boot = open_disk(image).boot
    assert boot
    filesystem = boot.open()
    assert isinstance(filesystem, FatFilesystem)
    others = {0, boot.offset // size}
    # A folder outlives its files, which are then written again where they were.
    for path in (FOLDER, *COPIES):
        others |= {at // size for at, _ in filesystem.places(path)}
    folders = [{at // size for at, _ in filesystem.places(path)} for path in COPIES]
    assert not folders[0] & folders[1]
    for name in CONFIGURATIONS:
        others |= {at // size for at, _ in filesystem.places(name)}
    assert not others & set().union(*found.values())


@pytest.mark.boot
@pytest.mark.parametrize("size", [512, 4096, 128 << 10])
def test_whatever_is_garbled_around_a_copy_the_other_one_is_whole(
    tmp_path: Path, size: int
) -> None:
    image = grub_image(tmp_path)
    before = image.read_bytes()
    for path in APART:
        for number in groups(image, size)[path]:
            image.write_bytes(before)
            put(image, number * size, b"\xa5" * size)

            state = find_state(open_disk(image))
            assert state
            assert state.variables["mender_boot_part"] == "2"
        kept = {name: places(image)[name] for name in APART}
        restore(open_disk(image), "A", {})
        after = find_state(open_disk(image))
        assert after
        assert None not in after.copies
        assert places(image) == kept


def test_a_change_leaves_grubs_files_where_they_are(tmp_path: Path) -> None:
    image = grub_image(tmp_path)
    before = places(image)

    change(open_disk(image), {"mender_boot_part": "3"})

    assert places(image) == before


@pytest.mark.parametrize("kind", ["u-boot", "grub"])
@pytest.mark.parametrize("slot", ["A", "B"])
def test_two_lost_copies_are_repaired_for_the_slot_that_runs(
    tmp_path: Path, kind: str, slot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = {"u-boot": "qemu-arm64", "grub": "qemu-x86-64"}[kind]
    board = small_board(tmp_path, name)
    if kind == "grub":
        image = grub_image(tmp_path)
        for first, last in places(image).values():
            put(image, first, b"\xa5" * (last + 1 - first))
    else:
        parts = Parts(rootfs=ext4(tmp_path / "rootfs.ext4"), variables=variables(board))
        image = composed(tmp_path, board.layout, parts)
        for offset in (FIRST, SECOND):
            put(image, offset, b"\xa5" * SIZE)
    words = [str(image), name, "--boards", str(tmp_path / "boards"), "--slot", slot]

    assert main(["env", "repair", *words]) == 0

    number = {"A": "2", "B": "3"}[slot]
    assert f"partition {number} starts" in capsys.readouterr().out
    state = find_state(open_disk(image))
    assert state
    assert None not in state.copies
    assert state.variables["mender_boot_part"] == number
    other = {"A": "b", "B": "a"}[slot]
    assert state.variables[f"ota_good_{slot.lower()}"] == "1"
    assert state.variables[f"ota_good_{other}"] == "0"
    assert ("bootcmd" in state.variables) == (kind == "u-boot")


def test_a_repair_keeps_the_state_of_the_copy_that_is_whole(image: Path) -> None:
    change(open_disk(image), {"mender_boot_part": "3"})
    put(image, SECOND, b"\xa5" * SIZE)

    restore(open_disk(image), "A", {})

    assert [each["mender_boot_part"] for _, each in copies(image)] == ["3", "3"]
