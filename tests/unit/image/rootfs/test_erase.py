# SPDX-License-Identifier: Apache-2.0
"""A device that is given away keeps nothing of its users, and nothing is erased by accident."""

import shutil
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.image.rootfs.early_boot import FILES, MIB, SCRIPTS, SHELLS, SIZE, Device
from tests.unit.image.rootfs.test_data_script import full

__all__ = ["full"]  # a fixture

pytestmark = [
    pytest.mark.boot,  # each writes all of a partition, some twice
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("fakeroot", package="fakeroot"),
]

SECRETS = [text.encode() for text in FILES.values()]


@pytest.fixture(params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path: Path, full: Path) -> Device:
    """A device whose second home is kept; it has booted."""
    device = Device(tmp_path, request.param)
    shutil.copyfile(full, device.partition)
    device.starts()
    device.second_home("save")
    assert is_there(device.disk)
    device.boots_again()
    return device


def erase(device: Device, *words: str, success: tuple[int, ...] = (0,)) -> str:
    """Call the command as a user does; gives what it says."""
    argv = (*device.shell, str(SCRIPTS / "erase"), *words)
    said = run(argv, timeout=30, environment=device.environment, success=success)
    return said.decode()


def is_there(file: Path) -> bool:
    content = file.read_bytes()
    return any(each in content for each in SECRETS)


def test_after_the_next_boot_nothing_of_its_users_is_left(device: Device) -> None:
    assert erase(device, "--yes") == "erase: reboot now; the next boot erases /data\n"
    assert is_there(device.partition)

    said = device.starts()

    assert "/data: erasing it, as a user has asked" in said
    assert "/data: is new; what was on it is lost: it was erased, as a user has asked" in said
    assert device.state["state"] == "new"
    assert not is_there(device.partition)
    assert not is_there(device.disk)
    assert device.second_home("show", success=(1,)) == "nothing is kept\n"
    device.boots_again()
    assert (device.starts(), device.state["state"]) == ("", "whole")


@pytest.mark.parametrize("size", [SIZE - 512, SIZE - 65536 - 512])
def test_the_last_sector_is_erased_too(device: Device, size: int) -> None:
    device.has_size(size)
    with device.partition.open("r+b") as file:
        file.truncate(size)
        file.seek(-512, 2)
        file.write(b"x" * 512)
    erase(device, "--yes")

    device.starts()

    assert b"x" * 512 not in device.partition.read_bytes()
    assert device.partition.stat().st_size == size


def test_a_cut_while_it_erases_begins_it_again(device: Device) -> None:
    erase(device, "--yes")
    with device.partition.open("r+b") as file:  # all but the first MiB and the end is gone
        file.seek(MIB)
        file.write(bytes(SIZE // 2))

    said = device.starts()

    assert "/data: erasing it" in said
    assert device.state["state"] == "new"
    assert not is_there(device.partition)


def test_a_filesystem_with_the_mark_is_sound_until_then(device: Device) -> None:
    erase(device, "--yes")

    run(("e2fsck", "-f", "-n", device.partition), timeout=30)


def test_a_trial_erases_nothing_and_the_boot_after_it_does(device: Device) -> None:
    erase(device, "--yes")
    device.is_trial(yes=True)

    said = device.starts()

    assert (said, device.state["state"]) == ("", "whole")
    assert is_there(device.partition)
    device.boots_again()
    device.is_trial(yes=False)
    assert "/data: erasing it" in device.starts()


@pytest.mark.parametrize(
    ("words", "code", "is_trial"),
    [((), 2, False), (("--no",), 2, False), (("--yes", "x"), 2, False), (("--yes",), 1, True)],
)
def test_what_is_refused_erases_nothing(
    device: Device, words: tuple[str, ...], code: int, is_trial: bool
) -> None:
    before = device.partition.read_bytes()
    device.is_trial(yes=is_trial)

    erase(device, *words, success=(code,))

    device.is_trial(yes=False)
    assert device.partition.read_bytes() == before
    assert (device.starts(), device.state["state"]) == ("", "whole")
