# SPDX-License-Identifier: Apache-2.0
"""Flashing: what is written to an open file, what is refused, and once a real loop device."""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ota_artifact.run import stream
from ota_image.cli.flash import _Shown
from ota_image.cli.main import main
from ota_image.disk.bmap import make_map, to_xml
from ota_image.disk.compose import Parts
from ota_image.errors import ImageError, WorldError
from ota_image.flash.device import checked_device, find_device
from ota_image.flash.write import flash, map_of
from tests.conftest import requires_open_tree, requires_program
from tests.unit.image.disk.small import MIB, OLD, composed, ext4, small_board, variables

SIZE = 6 * MIB


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image whose second MiB, and half of whose fifth one, are mapped."""
    path = tmp_path / "test.sdimg"
    path.write_bytes(os.urandom(SIZE))
    spans = [(MIB, 2 * MIB), (4 * MIB, 4 * MIB + MIB // 2)]
    Path(f"{path}.bmap").write_text(to_xml(make_map(path, spans)))
    return path


@pytest.fixture
def card(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "card"
    path.write_bytes(OLD * (SIZE + 4096))
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def silent(_what: str, _done: int, _total: int) -> None:
    """Hears of progress, and says nothing."""


def test_what_is_mapped_is_written_and_the_rest_stays(image: Path, card: int) -> None:
    told = []

    flash(image, map_of(image), card, progress=lambda *each: told.append(each))

    data = image.read_bytes()
    assert os.pread(card, MIB, 0) == OLD * MIB
    assert os.pread(card, MIB, MIB) == data[MIB : 2 * MIB]
    assert os.pread(card, MIB // 2, 4 * MIB) == data[4 * MIB : 4 * MIB + MIB // 2]
    assert os.pread(card, MIB, 4 * MIB + MIB // 2) == OLD * MIB
    assert told[-1] == ("verify", MIB * 3 // 2, MIB * 3 // 2)


def test_without_a_map_everything_is_written(image: Path, card: int) -> None:
    Path(f"{image}.bmap").unlink()

    flash(image, map_of(image), card, progress=silent)

    assert os.pread(card, SIZE, 0) == image.read_bytes()
    assert os.pread(card, 4096, SIZE) == OLD * 4096


def test_an_image_that_is_not_its_maps_is_found(image: Path, card: int) -> None:
    with image.open("r+b") as file:
        file.seek(MIB)
        file.write(b"changed")

    with pytest.raises(ImageError, match="differs from its block map at 0x100000"):
        flash(image, map_of(image), card, progress=silent)


def test_a_map_of_another_image_is_refused(image: Path) -> None:
    os.truncate(image, SIZE - 4096)

    with pytest.raises(ImageError, match="belongs to an image of 6291456 B"):
        map_of(image)


def test_a_card_that_forgets_is_found(
    image: Path, card: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(device: int) -> None:
        os.pwrite(device, b"\0", MIB + 5)

    monkeypatch.setattr("ota_image.flash.write._forget", lose)

    with pytest.raises(WorldError, match="returns other data than was written at 0x100000"):
        flash(image, map_of(image), card, progress=silent)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """/proc and /sys of a system with a disk sdb of 8 MiB that has one partition."""
    root = tmp_path / "root"
    files = {
        "sys/block/sdb/dev": "8:16",
        "sys/block/sdb/size": "16384",
        "sys/block/sdb/ro": "0",
        "sys/block/sdb/removable": "1",
        "sys/block/sdb/device/model": "STORAGE DEVICE",
        "sys/block/sdb/sdb1/dev": "8:17",
        "sys/block/sdb/sdb1/partition": "1",
        "proc/self/mountinfo": "25 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text.rstrip()}\n")
    (root / "sys/block/sdb/holders").mkdir()
    return root


def append(name: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else b""
        path.write_bytes(before + os.fsencode(text))

    return change


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).write_text(text)

    return change


def test_a_card_that_nothing_uses_is_taken(system: Path) -> None:
    device = checked_device(Path("/dev/sdb"), system / "sys/block/sdb", 8 * MIB, root=system)

    assert (device.size, device.model, device.is_removable) == (8 * MIB, "STORAGE DEVICE", True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            append("proc/self/mountinfo", "26 25 8:17 / /mnt rw - vfat /dev/sdb1 rw\n"),
            "sdb1 is mounted at /mnt",
        ),
        (
            append("proc/self/mountinfo", "26 25 8:16 / / rw - ext4 /dev/root rw\n"),
            "sdb is mounted at /",
        ),
        (
            append("proc/self/mountinfo", "26 25 0:31 / /b rw shared:2 - btrfs /dev/sdb1 rw\n"),
            "sdb1 is mounted at /b",
        ),
        (
            append("proc/self/mountinfo", "26 25 8:17 / /f\udcfcr rw - vfat /dev/sdb1 rw\n"),
            "sdb1 is mounted at /f\udcfcr",
        ),
        (append("proc/swaps", "/dev/sdb1 partition 1 0 -2\n"), "sdb1 is swap space"),
        (append("sys/block/sdb/holders/dm-0", ""), "sdb is part of dm-0"),
        (append("sys/block/sdb/sdb1/holders/md0", ""), "sdb1 is part of md0"),
        (write("sys/block/sdb/ro", "1\n"), "is write-protected"),
        (write("sys/block/sdb/size", "8192\n"), "has 4 MiB, the image 8 MiB"),
    ],
)
def test_a_disk_that_is_in_use_or_unfit_is_refused(
    system: Path, change: Callable[[Path], None], said: str
) -> None:
    change(system)

    with pytest.raises(ImageError) as caught:
        checked_device(Path("/dev/sdb"), system / "sys/block/sdb", 8 * MIB, root=system)

    assert said in str(caught.value)


def test_a_partition_is_refused(system: Path) -> None:
    with pytest.raises(ImageError, match="is a partition; name the whole disk, sdb"):
        checked_device(Path("/dev/sdb1"), system / "sys/block/sdb/sdb1", 1, root=system)


def test_a_file_that_is_not_a_device_is_refused(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is not a block device"), (tmp_path / "no", "no such device")):
        with pytest.raises(ImageError, match=said):
            find_device(path, 1)


@pytest.mark.boot
@requires_program("losetup", package="mount")
@requires_program("sfdisk", package="fdisk")
@requires_program("mcopy", package="mtools")
def test_the_command_writes_a_device(
    tmp_path: Path,
    loop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    rootfs = ext4(tmp_path / "rootfs.ext4")
    path = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))

    assert main(["flash", str(path), str(loop)]) == 2
    assert "cannot ask without a terminal; give --yes" in capsys.readouterr().err
    assert main(["flash", str(path), str(loop), "--yes"]) == 0

    said = capsys.readouterr()
    assert "written and verified" in said.out
    assert "flash: write: 100 %\n" in said.err
    assert "flash: verify: 100 %\n" in said.err
    slot = board.layout.partition("A")
    with loop.open("rb") as file:
        file.seek(slot.offset)
        assert file.read(slot.size) == rootfs.read_bytes()


@pytest.mark.boot
@requires_open_tree
@requires_program("losetup", package="mount")
@requires_program("sfdisk", package="fdisk")
@requires_program("mcopy", package="mtools")
def test_a_user_is_told_the_command_for_root_before_anything_is_asked(
    tmp_path: Path, loop: Path
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    rootfs = ext4(tmp_path / "rootfs.ext4")
    made = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        image = Path(name, "my disk.sdimg")
        shutil.copyfile(made, image)
        command = Path(sys.executable).with_name("ota-image")
        nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

        ended = stream((*nobody, command, "flash", image, loop), silence=30, sink=lambda _: None)

    assert ended.code == 3
    line = f"sudo {command} flash -- '{image}' {loop}"
    assert ended.said == f"ota-image: {loop}: needs root; run: {line}"


def test_on_a_terminal_progress_is_one_line_for_each_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for is_terminal in (False, True):
        shown = _Shown(is_terminal)
        for done in (0, 1, 50, 51, 100):
            shown.show("write", done, 100)

    assert capsys.readouterr().err == (
        "flash: write: 0 %\nflash: write: 50 %\nflash: write: 100 %\n"
        "\rflash: write: 0 %\rflash: write: 50 %\rflash: write: 100 %\n"
    )
