# SPDX-License-Identifier: Apache-2.0
"""Hazards of GRUB, each shown by an image broken so, with mtools and grub-editenv."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board import grub
from ota_board.board import Board
from ota_image.cli.main import main
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.unit.image.disk.small import ext4, small_board, tree
from tests.unit.image.doctor.good import files, image

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mcopy", package="mtools"),
    requires_program("grub-editenv", package="grub-common"),
]
FIRST, SECOND = grub.COPIES


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    """A board and its image, made once and left as they are."""
    folder = tmp_path_factory.mktemp("made")
    board = small_board(folder, "qemu-x86-64")
    return board, image(folder, board)


def mtools(program: str, path: Path, *words: str | Path) -> None:
    run((program, "-i", f"{path}@@4M", *words), timeout=10)


def put(path: Path, name: str, data: bytes) -> None:
    file = path.with_name("content")
    file.write_bytes(data)
    mtools("mcopy", path, "-o", file, f"::{name}")


def editenv(path: Path, name: str, change: str) -> None:
    """Change a block with GRUB's own tool."""
    file = path.with_name("block")
    mtools("mcopy", path, "-n", "-o", f"::{name}", file)
    run(("grub-editenv", file, "set", change), timeout=10)
    mtools("mcopy", path, "-o", file, f"::{name}")


def sfdisk(path: Path, *words: str) -> None:
    run(("sfdisk", "--quiet", "--no-reread", *words), timeout=10)


BREAKS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no state": ("grub-environment-missing", lambda p: mtools("mdeltree", p, f"::{grub.FOLDER}")),
    "no lock": ("grub-environment-missing", lambda p: mtools("mdel", p, f"::{SECOND}/lock")),
    "no env": ("grub-environment-missing", lambda p: mtools("mdel", p, f"::{FIRST}/env")),
    "blank": ("grub-copy-damaged", lambda p: put(p, f"{FIRST}/env", bytes(1024))),
    "cut short": ("grub-copy-damaged", lambda p: put(p, f"{SECOND}/lock", b"# GRUB")),
    "locked": ("grub-copy-locked", lambda p: editenv(p, f"{SECOND}/lock", "editing=1")),
    "no sum": ("grub-lock-without-sum", lambda p: mtools("mdel", p, f"::{FIRST}/lock.sha256sum")),
    "differ": ("grub-copies-differ", lambda p: editenv(p, f"{SECOND}/env", "bootcount=1")),
    "no GRUB": ("grub-missing", lambda p: mtools("mdel", p, f"::{grub.PROGRAM}")),
    "no configuration": (
        "grub-configuration-missing",
        lambda p: mtools("mdel", p, f"::{grub.CONFIGURATIONS[1]}"),
    ),
    "other configuration": (
        "grub-configuration-differs",
        lambda p: put(p, grub.CONFIGURATIONS[0], b"set ota_a=5\n"),
    ),
    "no ESP": ("boot-not-esp", lambda p: sfdisk(p, "--part-type", str(p), "1", "L")),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_boot_partition_that_is_broken(good: Path, board: Board, name: str) -> None:
    hazard, damage = BREAKS[name]

    damage(good)

    found = examine(good, board)
    assert {each.hazard for each in found} == {hazard}
    assert all(each.place and each.cause and each.remedy for each in found)


def test_copies_that_one_garbled_block_takes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = small_board(tmp_path, "qemu-x86-64")
    monkeypatch.setattr("ota_image.disk.boot.DISTANCE", 512)

    found = examine(image(tmp_path, board), board)

    assert {each.hazard for each in found} == {"grub-copies-too-close"}
    assert len(found) == 3


def test_all_firmware_of_the_board_is_looked_for(tmp_path: Path) -> None:
    shim = "firmware:\n  - {from: shim-signed/shimx64.efi.signed, to: /EFI/BOOT/grubx64.efi}"
    board = small_board(tmp_path, "qemu-x86-64", {r"^firmware:.*$": shim})
    path = image(tmp_path, board)
    mtools("mdel", path, "::/EFI/BOOT/grubx64.efi")

    (finding,) = examine(path, board)

    assert (finding.hazard, finding.place) == (
        "grub-missing",
        "boot partition: /EFI/BOOT/grubx64.efi",
    )


def test_a_state_that_names_no_slot(good: Path, board: Board) -> None:
    for folder in grub.COPIES:
        editenv(good, f"{folder}/env", "mender_boot_part=4")

    assert {each.hazard for each in examine(good, board)} == {"state-names-no-slot"}


def test_a_trial_in_the_factory(good: Path, board: Board) -> None:
    for folder in grub.COPIES:
        editenv(good, f"{folder}/env", "upgrade_available=1")

    assert {each.hazard for each in examine(good, board)} == {"trial-in-factory-image"}
    assert examine(good, board, is_booted=True) == []


DATA = b"/dev/vda4 /data ext4 defaults 0 2\n"


@pytest.mark.parametrize(
    ("file", "data", "hazard"),
    [
        (grub.ENTRY, None, "slot-without-grub-entry"),
        (grub.ENTRY, b"# GRUB Environment Block\nkernel=/boot/Image\n", "kernel-missing"),
        ("/boot/initrd.img", None, "initrd-missing"),
        ("/etc/fstab", DATA, "boot-not-mounted"),
        (
            "/etc/fstab",
            DATA + b"/dev/vda1 /boot/firmware vfat rw,sync 0 2\n",
            "boot-writable",
        ),
        (
            "/etc/fstab",
            DATA + b"/dev/vda1 /boot/other vfat rw,sync 0 2\n",
            "grub-environment-not-found",
        ),
        ("/etc/mender_grubenv.config", None, "grub-environment-not-found"),
    ],
)
def test_a_slot_that_does_not_go_with_grub(
    tmp_path: Path, file: str, data: bytes | None, hazard: str
) -> None:
    board = small_board(tmp_path, "qemu-x86-64")
    path = image(tmp_path, board, {file[1:]: data})

    assert hazard in {each.hazard for each in examine(path, board)}


def test_compose_makes_all_that_is_not_grub_itself(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-x86-64")
    rootfs = ext4(tmp_path / "slot.ext4", tree(tmp_path / "slot", files(board)))
    program, disk = tmp_path / "grubx64.efi.signed", tmp_path / "made.sdimg"
    program.write_bytes(b"GRUB")
    words = ["compose", board.name, "--boards", str(tmp_path / "boards"), "--output", str(disk)]
    words += ["--rootfs", str(rootfs)]

    assert main(words) == 0
    assert {each.hazard for each in examine(disk, board)} == {"grub-missing"}
    assert main([*words, "--u-boot", str(program)]) == 0
    assert examine(disk, board) == []


def test_without_its_board_an_image_of_ours_is_examined_too(good: Path) -> None:
    assert examine(good) == []
    editenv(good, f"{SECOND}/lock", "editing=1")

    assert {each.hazard for each in examine(good)} == {"grub-copy-locked"}
