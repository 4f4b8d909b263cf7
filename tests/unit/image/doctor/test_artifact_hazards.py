# SPDX-License-Identifier: Apache-2.0
"""Hazards of an artifact next to an image, and of an image on a device."""

from pathlib import Path

import pytest

from ota_artifact.cli.main import main as write_artifact
from ota_artifact.errors import ArtifactError
from ota_image.cli.main import main
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.unit.image.disk.small import MIB, ext4, small_board
from tests.unit.image.doctor.good import image

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]


def artifact(
    folder: Path, rootfs: Path, device_type: str = "qemu-arm64", name: str = "minimal-1"
) -> Path:
    path = folder / "test.mender"
    words = ["write", "rootfs-image", "-t", device_type, "-n", name]
    assert write_artifact([*words, "-f", str(rootfs), "-o", str(path)]) == 0
    return path


@pytest.mark.boot
def test_the_artifact_of_the_slot_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = image(tmp_path, small_board(tmp_path, "qemu-arm64"))
    update = artifact(tmp_path, tmp_path / "rootfs.ext4")
    board = str(tmp_path / "boards" / "qemu-arm64")

    assert main(["doctor", str(path), "--board", board, "--artifact", str(update)]) == 0
    assert "no hazard found" in capsys.readouterr().out


@pytest.mark.boot
@pytest.mark.parametrize(
    ("size", "device_type", "hazard"),
    [
        (12 * MIB, "qemu-arm64", "payload-larger-than-slot"),
        (8 * MIB, "qemu-arm64", "payload-not-slot"),
        (0, "raspberrypi3", "artifact-for-other-device"),
    ],
)
def test_an_artifact_that_does_not_go_with_the_image(
    tmp_path: Path, size: int, device_type: str, hazard: str
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    rootfs = ext4(tmp_path / "other.ext4", size=size) if size else tmp_path / "rootfs.ext4"

    (finding,) = examine(path, board, artifact=artifact(tmp_path, rootfs, device_type))

    assert finding.hazard == hazard


def test_an_artifact_under_another_name_than_the_slots_own(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    update = artifact(tmp_path, tmp_path / "rootfs.ext4", name="minimal-2")

    (finding,) = examine(path, board, artifact=update)

    assert finding.hazard == "artifact-name-differs"
    assert "slot A calls itself minimal-1" in finding.cause
    assert {each.hazard for each in examine(path, board, is_booted=True, artifact=update)} == {
        "canary-missing"
    }


def test_a_file_that_is_not_an_artifact_is_an_error(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)

    with pytest.raises(ArtifactError, match=r"rootfs\.ext4"):
        examine(path, board, artifact=tmp_path / "rootfs.ext4")


def test_a_slot_whose_filesystem_was_cut_off(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    large = ext4(tmp_path / "large.ext4", size=12 * MIB)
    with path.open("r+b") as disk:
        disk.seek(28 * MIB)
        disk.write(large.read_bytes()[: 8 * MIB])

    found = examine(path, board)

    assert ("payload-larger-than-slot", "slot A") in {(each.hazard, each.place) for each in found}


@pytest.mark.boot
def test_a_device_is_examined_as_an_image_is(tmp_path: Path, loop: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    with path.open("rb") as source, loop.open("r+b") as target:
        target.write(source.read())

    assert examine(loop, board) == []


def test_a_dirty_vfat_is_one_only_before_the_first_boot(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board)
    with path.open("r+b") as disk:
        disk.seek(24 * MIB + 0x25)  # of FAT16. Source: dosfstools, src/fsck.fat.h
        disk.write(b"\1")

    (finding,) = examine(path, board)

    assert finding.hazard == "filesystem-damaged"
    assert "Dirty bit" in finding.cause
    assert {each.hazard for each in examine(path, board, is_booted=True)} == {"canary-missing"}
