# SPDX-License-Identifier: Apache-2.0
"""Images by the paths of the running system, and changes that happen as a whole or not at all."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.hold import hold
from ota_artifact.image import disk as disk_module
from ota_artifact.image.disk import edit, open_image, place_of
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.vfat import FatFilesystem
from tests.simulators.holding import another_holds
from tests.unit.artifact.image.conftest import MIB, Tool

NOBODY = 65534


def text_of(image: disk_module.Image | ExtFilesystem | FatFilesystem, path: str, to: Path) -> str:
    image.read_file(path, to / "read")
    return (to / "read").read_text()


def slot(disk: Path, start: int) -> ExtFilesystem:
    return ExtFilesystem(disk, start * MIB, 4 * MIB)


# Bad input first.


def test_disk_with_too_few_partitions_is_refused(tool: Tool, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(8 * MIB))
    tool("sfdisk", "-q", "--no-reread", disk, stdin="label: dos\nsize=2048\nsize=2048\n")

    with pytest.raises(ArtifactError, match="2 partitions can hold files, not four"):
        open_image(disk)


def test_a_file_that_is_not_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")

    with pytest.raises(ArtifactError, match="too few for a disk image or a filesystem"):
        open_image(tmp_path / "text")
    with pytest.raises(ArtifactError, match="none: no such file"):
        open_image(tmp_path / "none")
    with pytest.raises(ArtifactError, match="not a regular file"):
        open_image(tmp_path)


def test_slot_with_another_filesystem_is_refused_by_name(make_disk: Callable[..., str]) -> None:
    disk = Path(make_disk())
    with disk.open("r+b") as file:
        file.seek(11 * MIB)
        file.write(b"hsqs".ljust(2048, b"\0"))

    with pytest.raises(ArtifactError, match="squashfs"), edit(disk) as image:
        image.make_directory("/opt")


def test_dots_do_not_choose_a_partition(make_disk: Callable[..., str]) -> None:
    with pytest.raises(ArtifactError, match="does not say which partition"):
        open_image(Path(make_disk())).exists("/data/../etc/hostname")


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit])
def test_exception_in_an_edit_changes_nothing_and_leaves_nothing(
    ext4: Path, source: Path, exception: type[BaseException]
) -> None:
    before, beside = ext4.read_bytes(), sorted(ext4.parent.iterdir())

    with pytest.raises(exception), edit(ext4) as image:  # noqa: PT012
        image.write_file(source, "/etc/hostname")
        raise exception

    assert ext4.read_bytes() == before
    assert sorted(ext4.parent.iterdir()) == beside


def test_second_change_that_fails_undoes_the_first(
    make_disk: Callable[..., str], source: Path
) -> None:
    disk = Path(make_disk())
    slot(disk, 11).remove("/etc/hostname")  # the slots differ: B lacks the file
    before = disk.read_bytes()

    with pytest.raises(ArtifactError, match="/etc/hostname: no such file"), edit(disk) as image:
        image.remove("/etc/hostname")

    assert disk.read_bytes() == before


def test_no_space_for_the_copy_is_an_error_and_leaves_nothing(
    ext4: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk_module, "copy_sparse", full)
    beside = sorted(ext4.parent.iterdir())

    with pytest.raises(OSError, match="No space left"), edit(ext4):
        pass

    assert sorted(ext4.parent.iterdir()) == beside


def test_image_without_space_stays_as_it_was(make_ext: Callable[..., Path], tmp_path: Path) -> None:
    image_path = make_ext("tight.ext2", "-m", "0", kind="ext2", size="1M")
    before, large = image_path.read_bytes(), tmp_path / "large"
    large.write_bytes(os.urandom(900 << 10))

    def fill(image: disk_module.Image) -> None:
        for number in range(3):
            image.write_file(large, f"/large{number}")

    with pytest.raises(ArtifactError, match="no space left"), edit(image_path) as image:
        fill(image)

    assert image_path.read_bytes() == before


def test_damaged_result_is_not_kept(ext4: Path, source: Path, tool: Tool) -> None:
    tool("debugfs", "-w", "-R", "clri /usr/bin/app", ext4)
    before = ext4.read_bytes()

    with (
        pytest.raises(ArtifactError, match=r"(?s)root.ext4: .* damaged.*The image is unchanged"),
        edit(ext4) as image,
    ):
        image.write_file(source, "/etc/hostname")

    assert ext4.read_bytes() == before


def test_image_that_another_program_changed_meanwhile_is_not_overwritten(
    ext4: Path, source: Path
) -> None:
    with pytest.raises(ArtifactError, match="changed by another program"), edit(ext4) as image:  # noqa: PT012
        image.write_file(source, "/etc/hostname")
        os.utime(ext4, (1, 1))

    assert ext4.stat().st_mtime == 1


def test_an_image_that_a_board_uses_is_not_edited(ext4: Path, source: Path) -> None:
    before = ext4.read_bytes()

    with another_holds(ext4), pytest.raises(BlockingIOError) as caught, edit(ext4) as image:
        image.write_file(source, "/new")

    assert str(caught.value.strerror).endswith("is using it; wait until it has ended")
    assert ext4.read_bytes() == before


def test_an_image_that_is_edited_is_not_booted(ext4: Path) -> None:
    with edit(ext4), pytest.raises(BlockingIOError), hold(ext4, remedy=""):
        pass


def test_interrupted_process_leaves_the_image_and_no_copy(ext4: Path, source: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ota_artifact.image.disk import edit\n"
        "with edit(Path(sys.argv[1])) as image:\n"
        "    image.write_file(Path(sys.argv[2]), '/etc/hostname')\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    signal.pause()\n"
    )
    before, beside = ext4.read_bytes(), sorted(ext4.parent.iterdir())

    done = subprocess.run(  # noqa: S603
        (sys.executable, "-c", code, ext4, source), capture_output=True, timeout=30, env=with_path()
    )

    assert done.returncode == -signal.SIGINT
    assert ext4.read_bytes() == before
    assert sorted(ext4.parent.iterdir()) == beside


# What it is for.


def with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}


@pytest.mark.parametrize(
    ("path", "role", "inside"),
    [
        ("/etc/hostname", "slots", ("etc", "hostname")),
        ("/data", "data", ()),
        ("//data/./ota/key", "data", ("ota", "key")),
        ("/database", "slots", ("database",)),
        ("/uboot/boot.scr", "boot", ("boot.scr",)),
        ("/boot/efi/EFI/x", "boot", ("EFI", "x")),
        ("/boot/grub/grub.cfg", "boot", ("grub.cfg",)),
        ("/boot/Image", "slots", ("boot", "Image")),
        ("/usr/share/uboot/x", "slots", ("usr", "share", "uboot", "x")),
    ],
)
def test_path_chooses_its_partitions(path: str, role: str, inside: tuple[str, ...]) -> None:
    assert place_of(path) == (role, inside)


@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_each_path_goes_to_its_partitions(
    make_disk: Callable[..., str], source: Path, tool: Tool, tmp_path: Path, label: str
) -> None:
    disk = Path(make_disk(label=label))

    with edit(disk) as image:
        image.write_file(source, "/etc/hostname")
        image.write_file(source, "/data/key", 0o600)
        image.make_directory("/boot/efi/EFI/BOOT")
        image.write_file(source, "/boot/efi/EFI/BOOT/grub.cfg")

    changed = open_image(disk)
    assert text_of(changed, "/etc/hostname", tmp_path) == "new\n"
    assert text_of(slot(disk, 6), "/etc/hostname", tmp_path) == "new\n"
    assert text_of(slot(disk, 11), "/etc/hostname", tmp_path) == "new\n"
    assert text_of(slot(disk, 16), "/key", tmp_path) == "new\n"
    assert slot(disk, 16).kind("/data") is None
    boot = FatFilesystem(disk, MIB, 4 * MIB)
    assert text_of(boot, "/efi/boot/grub.cfg", tmp_path) == "new\n"
    tool("sfdisk", "--verify", disk)


def test_swap_before_data_and_logical_partitions_do_not_shift_data(
    tool: Tool, ext4: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    with disk.open("wb") as file:
        file.truncate(32 * MIB)
    table = (
        "label: dos\nstart=2048, size=2048\nstart=4096, size=2048\nstart=6144, size=2048\n"
        "start=8192, size=40960, type=5\nstart=10240, size=2048, type=82\n"
        "start=20480, size=8192\n"
    )
    tool("sfdisk", "-q", "--no-reread", disk, stdin=table)
    with disk.open("r+b") as file:
        file.seek(10 * MIB)
        file.write(ext4.read_bytes())

    found = text_of(open_image(disk), "/data/etc/hostname", tmp_path)

    assert found == "old\n"


def test_single_filesystem_has_all_paths(ext4: Path, source: Path, tmp_path: Path) -> None:
    with edit(ext4) as image:
        image.make_directory("/data/x/../y")
        image.write_file(source, "/data/y/file")

    assert text_of(open_image(ext4), "/data/y/file", tmp_path) == "new\n"


def test_image_keeps_its_mode_and_holes_and_a_link_to_it(
    ext4: Path, source: Path, tmp_path: Path
) -> None:
    ext4.chmod(0o640)
    link = tmp_path / "link.ext4"
    link.symlink_to(ext4)
    with ext4.open("r+b") as file:
        file.truncate(512 * MIB)  # holes beyond the filesystem

    with edit(link) as image:
        image.write_file(source, "/etc/hostname")

    assert link.is_symlink()
    assert ext4.stat().st_mode & 0o7777 == 0o640
    assert ext4.stat().st_size == 512 * MIB
    assert ext4.stat().st_blocks * 512 < 8 * MIB
    assert text_of(open_image(ext4), "/etc/hostname", tmp_path) == "new\n"


def test_edit_without_a_change_leaves_the_very_file(ext4: Path) -> None:
    before = ext4.stat()

    with edit(ext4) as image:
        assert image.exists("/etc/hostname")

    assert ext4.stat().st_ino == before.st_ino


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """A folder of an ordinary user, who cannot enter those that pytest gives to root."""
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole suite runs without root already")
def test_ordinary_user_can_do_it_all(
    make_disk: Callable[..., str], source: Path, users_folder: Path, tmp_path: Path
) -> None:
    disk = users_folder / "disk.sdimg"
    shutil.copy(make_disk(), disk)
    new = users_folder / "new"
    shutil.copy(source, new)
    os.chown(disk, NOBODY, NOBODY)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.environ["PATH"] = "/usr/bin:/bin"  # no sbin, as Debian has it for users
            os.environ["HOME"] = "/nonexistent"
            with edit(disk) as image:
                image.write_file(new, "/etc/hostname", 0o600)
                image.remove("/usr", recursive=True)
                image.make_directory("/data/ota")
                image.write_file(new, "/uboot/boot.scr")
                image.remove("/uboot/boot.scr")
            assert disk.stat().st_uid == NOBODY
            code = 0
        except BaseException:
            traceback.print_exc()  # pytest shows it with the failed assertion
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert text_of(slot(disk, 6), "/etc/hostname", tmp_path) == "new\n"
    assert slot(disk, 16).kind("/ota") == "directory"


def test_missing_mtools_is_the_worlds_fault(
    vfat: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ProgramError, match="mdir: not found; install the package"):
        open_image(vfat).exists("/x")
