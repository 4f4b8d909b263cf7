# SPDX-License-Identifier: Apache-2.0
"""Hazards of table, environment, bootloader and filesystems, each shown by an image broken so."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_board.board import Board
from ota_image.cli.main import main
from ota_image.disk.boot_state import change
from ota_image.disk.image import open_disk
from ota_image.doctor.bootloader import default_environment
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.unit.image.disk.small import MIB, SLOT, small_board, variables
from tests.unit.image.doctor.good import image, u_boot

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
    requires_program("mkenvimage", package="u-boot-tools"),
]
FIRST, SECOND, SIZE = 0x400000, 0x800000, 0x20000
SLOT_A, DATA = 28 * MIB, 44 * MIB


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    """A board and its image, made once and left as they are."""
    folder = tmp_path_factory.mktemp("made")
    board = small_board(folder, "qemu-arm64")
    return board, image(folder, board)


def hazards(path: Path, board: Board | None = None, *, is_booted: bool = False) -> set[str]:
    found = examine(path, board, is_booted=is_booted)
    assert all(each.place and each.cause and each.remedy for each in found)
    return {each.hazard for each in found}


def dd(path: Path, offset: int, data: bytes) -> None:
    run(
        ("dd", f"of={path}", "bs=64K", "conv=notrunc", "oflag=seek_bytes", f"seek={offset}"),
        timeout=10,
        stdin=data,
    )


def mkenvimage(folder: Path, board: Board, size: int, *options: str) -> bytes:
    text = folder / "text"
    text.write_text("".join(f"{name}={value}\n" for name, value in variables(board).items()))
    run(("mkenvimage", *options, "-s", hex(size), "-o", folder / "env", text), timeout=10)
    return (folder / "env").read_bytes()


def test_an_environment_of_another_size(good: Path, board: Board, tmp_path: Path) -> None:
    small = mkenvimage(tmp_path, board, 0x10000, "-r")
    for offset in (FIRST, SECOND):
        dd(good, offset, small)

    assert hazards(good, board) == {"environment-elsewhere"}


def test_an_environment_at_another_place(good: Path, board: Board, tmp_path: Path) -> None:
    copy = mkenvimage(tmp_path, board, SIZE, "-r")
    for offset in (FIRST, SECOND):
        dd(good, offset, bytes(SIZE))
        dd(good, offset + 0x100000, copy)

    (first, second) = examine(good, board)

    assert {first.hazard, second.hazard} == {"environment-elsewhere"}
    assert "0x500000 with 0x20000 B" in first.cause


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_an_environment_that_was_never_written(good: Path, board: Board, filler: bytes) -> None:
    for offset in (FIRST, SECOND):
        dd(good, offset, filler * SIZE)

    assert hazards(good, board) == {"environment-never-written"}


def test_one_copy_damaged(good: Path, board: Board) -> None:
    dd(good, SECOND + 100, b"damaged")

    (finding,) = examine(good, board)

    assert finding.hazard == "environment-copy-damaged"
    assert finding.place == "environment 2 at 0x800000"


def test_redundancy_lost(good: Path, board: Board, tmp_path: Path) -> None:
    single = mkenvimage(tmp_path, board, SIZE)
    for offset in (FIRST, SECOND):
        dd(good, offset, single)

    assert hazards(good, board) == {"redundancy-lost"}


@pytest.mark.parametrize(
    ("name", "value", "hazard"),
    [
        ("mender_saveenv_canary", "1", "canary-in-factory-image"),
        ("altbootcmd", "", "no-altbootcmd"),
        ("bootcmd", "", "no-bootcmd"),
        ("bootlimit", "", "no-bootlimit"),
        ("bootlimit", "0", "no-bootlimit"),
        ("upgrade_available", "1", "trial-in-factory-image"),
        ("mender_boot_part", "7", "state-names-no-slot"),
        ("mender_boot_part_hex", "3", "state-names-no-slot"),
    ],
)
def test_variables_that_strand_a_device(
    good: Path, board: Board, name: str, value: str, hazard: str
) -> None:
    change(open_disk(good), {name: value})

    assert hazards(good, board) == {hazard}


def test_no_canary_on_an_image_that_has_run(good: Path, board: Board) -> None:
    assert hazards(good, board, is_booted=True) == {"canary-missing"}


def test_a_u_boot_without_redundancy(tmp_path: Path) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    path = image(tmp_path, board)
    (tmp_path / "new").write_bytes(u_boot(board).replace(b"recovered successfully", b""))
    run(("mcopy", "-o", "-i", f"{path}@@24M", tmp_path / "new", "::/u-boot.bin"), timeout=10)

    assert hazards(path, board) == {"u-boot-without-redundancy"}


def test_a_raw_u_boot_without_redundancy(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board)
    dd(path, 0x60000, u_boot(board).replace(b"recovered successfully", b"r" * 22))

    assert hazards(path, board) == {"u-boot-without-redundancy"}


def test_a_u_boot_that_was_built_with_another_environment(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board)
    dd(path, 0x60000, u_boot(board).replace(b"bootcmd=env", b"bootcmd=xyz"))

    assert hazards(path, board) == {"environment-shadows-u-boot"}


def test_a_compiled_environment_is_read() -> None:
    data = b"\x01\x02\0\0arch=arm\0bootcmd=run a; run b\0altbootcmd=run c\0\0more=no\0"

    found = default_environment(data)

    assert found == {"arch": "arm", "bootcmd": "run a; run b", "altbootcmd": "run c"}
    assert default_environment(b"nothing") == {}


@pytest.mark.parametrize(
    "before", [b"", b"\0", b"\x10\x20\0\xfe", b"\0 at %s=%x\0\xc3", b"a=b\x01"]
)
@pytest.mark.parametrize("first", ["bootlimit", "bootcmd", "altbootcmd"])
def test_the_first_variable_of_a_compiled_environment_may_follow_any_byte(
    before: bytes, first: str
) -> None:
    variables = {first: "1", "bootcmd": "run a", "altbootcmd": "run c"}
    text = b"\0".join(f"{name}={value}".encode() for name, value in variables.items())

    assert default_environment(before + text + b"\0\0\x01") == variables


def test_data_before_a_compiled_environment_takes_no_time_whatever_it_is() -> None:
    before, begin = b"\0" + b"\x80a=" * 60_000 + b"\x01x", time.process_time()

    assert default_environment(before + b"\0bootcmd=run a\0\0") == {"bootcmd": "run a"}

    assert time.process_time() - begin < 1


def test_a_text_before_a_compiled_environment_is_not_a_variable() -> None:
    data = b"\x01Wrong at %s, size=%x\0bootcmd=run a\0\0"

    assert default_environment(data) == {"bootcmd": "run a"}


@pytest.mark.parametrize("feature", ["metadata_csum_seed", "orphan_file", "inline_data"])
def test_an_ext4_that_a_bootloader_cannot_read(tmp_path: Path, board: Board, feature: str) -> None:
    path = image(tmp_path, board, features=f"metadata_csum,{feature}")

    (finding,) = examine(path, board)

    assert finding.hazard == "bootloader-cannot-read"
    assert feature in finding.cause


@pytest.mark.parametrize(("version", "found"), [(b"2016.07", True), (b"2016.11", False)])
def test_64bit_is_one_for_an_old_u_boot(tmp_path: Path, version: bytes, found: bool) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board, features="64bit")
    for offset in (0x20000, 0x40000):
        dd(path, offset, b"\0U-Boot SPL " + version + b"+dfsg-2 \0")
    dd(path, 0x60000, u_boot(board).replace(b"2023.01", version))

    assert hazards(path, board) == ({"bootloader-cannot-read"} if found else set())


def test_a_filesystem_smaller_than_its_slot(good: Path, board: Board, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs.ext4"
    with good.open("rb") as file:
        file.seek(SLOT_A)
        rootfs.write_bytes(file.read(SLOT))
    run(("e2fsck", "-fy", rootfs), timeout=10)
    run(("resize2fs", rootfs, "6M"), timeout=10)
    dd(good, SLOT_A, rootfs.read_bytes())

    assert hazards(good, board) == {"filesystem-smaller-than-partition"}


@pytest.mark.parametrize("offset", [SLOT_A, DATA])
def test_a_damaged_ext4(good: Path, board: Board, offset: int) -> None:
    words = "set_inode_field <2> links_count 77"
    run(("debugfs", "-w", "-R", words, f"{good}?offset={offset}"), timeout=10)

    assert hazards(good, board) == {"filesystem-damaged"}


def test_a_damaged_vfat(good: Path, board: Board) -> None:
    dd(good, 24 * MIB + 512 + 4, b"\xf0\xff" * 20)

    assert "filesystem-damaged" in hazards(good, board)


def test_a_data_partition_without_a_filesystem(good: Path, board: Board) -> None:
    dd(good, DATA, bytes(8 * MIB))

    assert hazards(good, board) == {"filesystem-damaged"}


def sfdisk(path: Path, *lines: str) -> None:
    run(("sfdisk", "--quiet", "--no-reread", path), timeout=10, stdin="\n".join(lines).encode())


def test_a_partition_on_the_environment(good: Path, board: Board) -> None:
    sfdisk(
        good,
        "label: dos",
        "start=14336, size=4096, type=c",
        *(f"start={each}, size=16384, type=83" for each in (57344, 73728, 90112)),
    )

    assert {"partition-overlaps", "table-not-layout"} <= hazards(good, board)


def test_a_truncated_image(good: Path, board: Board) -> None:
    os.truncate(good, 48 * MIB)

    assert {"table-damaged", "size-not-layout"} <= hazards(good, board)


def test_a_partition_behind_data(good: Path, board: Board) -> None:
    script = "start=106496, size=8192, type=83\n"
    run(("sfdisk", "--quiet", "--no-reread", "--delete", good, "1"), timeout=10)
    run(("sfdisk", "--quiet", "--no-reread", "-a", good), timeout=10, stdin=script.encode())

    assert {"data-not-last", "table-not-layout"} <= hazards(good, board)


def test_a_backup_table_that_is_not_at_the_end(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-x86-64")
    path = image(tmp_path, board)
    os.truncate(path, 80 * MIB)

    assert hazards(path, board) == {"backup-table-not-at-end"}


def test_a_size_that_qemu_does_not_take(good: Path, board: Board) -> None:
    os.truncate(good, 80 * MIB)

    assert hazards(good, board) == {"size-no-power-of-two"}
    assert hazards(good) == set()


def test_findings_end_with_exit_code_2(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dd(good, SECOND, bytes(SIZE))

    assert main(["doctor", str(good)]) == 2

    said = capsys.readouterr().out
    assert said.startswith("error: environment-never-written: environment 2 at 0x800000\n  cause: ")
    assert "\n  remedy: " in said


def damage_nothing(_path: Path) -> None:
    """For a file that is not a disk image."""


@pytest.mark.parametrize("make", [damage_nothing, Path.touch, lambda path: path.mkdir()])
def test_a_file_that_is_not_a_disk_image_is_refused(
    tmp_path: Path, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "file")

    assert main(["doctor", str(tmp_path / "file")]) == 2

    assert "ota-image: " in capsys.readouterr().err


def test_programs_that_break_an_image_say_when_they_cannot() -> None:
    with pytest.raises(ProgramError):
        run(("mkenvimage", "-s", "1", "-o", "/nonexistent/x", "/nonexistent"), timeout=10)
