# SPDX-License-Identifier: Apache-2.0
"""The device's identity outlives /data: the script that keeps it a second time."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.image.rootfs.early_boot import FILES, MIB, SHELLS, Device

PLACES = (2 * MIB, 3 * MIB)
SIZE = 64 << 10
KEPT = ["etc/machine-id", "ota/agent.toml", "ota/key.pem"]
KEY = "ota/key.pem"


@pytest.fixture(params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Device:
    """A device that has kept its files."""
    device = Device(tmp_path, request.param)
    device.partition.write_bytes(b"\1" * 4096)
    put(device, FILES)
    is_now(device, "whole")
    device.second_home("save")
    return device


def put(device: Device, files: dict[str, str]) -> None:
    for name, text in files.items():
        (device.data / name).parent.mkdir(parents=True, exist_ok=True)
        (device.data / name).write_text(text)
    (device.data / KEY).chmod(0o600)


def is_now(device: Device, state: str) -> None:
    """How /data was mounted."""
    (device.folder / "run" / "data").write_text(f"state={state}\nreason=\n")


def names(device: Device) -> list[str]:
    return device.second_home("show").split()


def loses_its_data(device: Device) -> None:
    """As when /data is made again: the script says so before."""
    device.second_home("lost")
    device.boots_again()
    is_now(device, "new")


def test_key_machine_id_and_settings_come_back_by_themselves(device: Device) -> None:
    loses_its_data(device)

    said = device.second_home("restore")

    assert {name: (device.data / name).read_text() for name in KEPT} == {
        name: FILES[name] for name in KEPT
    }
    assert stat.S_IMODE((device.data / KEY).stat().st_mode) == 0o600
    assert said.count("is back, from its second home") == 3
    assert not (device.data / "kept").exists()


def test_they_come_back_if_another_system_has_made_data_again(device: Device) -> None:
    device.boots_again()
    is_now(device, "whole")
    device.partition.write_bytes(b"\2" * 4096)

    device.second_home("restore")

    assert (device.data / KEY).read_text() == FILES[KEY]


def test_they_are_there_while_data_is_in_memory_and_nothing_is_kept_from_there(
    device: Device,
) -> None:
    device.boots_again()
    is_now(device, "memory")
    before = device.disk.read_bytes()

    device.second_home("restore")
    (device.data / KEY).write_text("another")
    device.second_home("save")

    assert (device.data / "etc/machine-id").read_text() == FILES["etc/machine-id"]
    assert device.disk.read_bytes() == before


def test_a_file_that_a_user_removed_stays_away(device: Device) -> None:
    (device.data / KEY).unlink()

    device.second_home("restore")
    device.second_home("save")

    assert not (device.data / KEY).exists()
    assert names(device) == ["etc/machine-id", "ota/agent.toml"]


def test_a_file_that_the_kernel_cannot_find_is_not_taken_for_removed(device: Device) -> None:
    (device.data / KEY).unlink()
    device.has_errors()

    device.second_home("save")
    device.second_home("restore")

    assert (device.data / KEY).read_text() == FILES[KEY]
    assert names(device) == KEPT


def test_what_changes_is_kept_and_what_does_not_is_not_written_again(device: Device) -> None:
    (device.data / "ota/agent.toml").write_text("[polling]\nupdate = 60\n")
    device.second_home("save")
    before = device.disk.stat().st_mtime_ns

    device.second_home("save")
    written = device.disk.stat().st_mtime_ns != before
    loses_its_data(device)
    device.second_home("restore")

    assert not written
    assert (device.data / "ota/agent.toml").read_text() == "[polling]\nupdate = 60\n"


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        (KEY, b""),
        (KEY, bytes(64)),
        (KEY, b"\xa5" * 64),
        ("etc/machine-id", b"no\n"),
        ("ota/agent.toml", bytes(44)),
    ],
)
def test_a_garbled_file_is_replaced_and_put_aside(device: Device, name: str, junk: bytes) -> None:
    (device.data / name).write_bytes(junk)

    device.second_home("save")
    device.second_home("restore")

    assert (device.data / name).read_text() == FILES[name]
    assert (device.data / f"{name}.garbled").read_bytes() == junk


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("x")


@pytest.mark.parametrize("name", [KEY, "etc/machine-id", "etc", "ota"])
@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, a_link_to_nothing])
def test_something_else_in_the_place_of_a_file_or_a_folder_is_put_aside(
    device: Device, name: str, make: Callable[[Path], None]
) -> None:
    path = device.data / name
    path.rename(device.data / "old")
    make(path)

    device.second_home("save")
    device.second_home("restore")

    for each in (KEY, "etc/machine-id"):
        assert (device.data / each).read_text() == FILES[each]
    assert os.path.lexists(f"{path}.garbled")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [512, 4096, SIZE])
def test_one_garbled_copy_is_enough_and_is_written_again(
    device: Device, place: int, size: int
) -> None:
    (other,) = {*PLACES} - {place}
    garble(device, place, size)

    device.second_home("save")
    garble(device, other, size)

    assert names(device) == KEPT


@pytest.mark.parametrize("sectors", [0, 1, 2, 7])
def test_a_cut_while_it_is_written_leaves_the_old_files_or_the_new_ones(
    device: Device, sectors: int
) -> None:
    before = device.disk.read_bytes()
    new = FILES[KEY].replace("MC4C", "new")
    (device.data / KEY).write_text(new)
    device.second_home("save")
    after = device.disk.read_bytes()

    for place in PLACES:  # whichever was written first, or second
        cut = bytearray(before)
        cut[place : place + 512 * sectors] = after[place : place + 512 * sectors]
        device.disk.write_bytes(cut)
        loses_its_data(device)
        device.second_home("restore")

        assert (device.data / KEY).read_text() in (FILES[KEY], new)


def test_what_another_program_keeps_there_is_not_written_over(tmp_path: Path) -> None:
    device = Device(tmp_path, ("dash",))
    garble(device, PLACES[0], 512)
    garble(device, PLACES[1] + 60_000, 4)
    before = device.disk.read_bytes()
    put(device, FILES)
    is_now(device, "whole")

    device.second_home("save")
    device.second_home("forget")

    assert device.disk.read_bytes() == before


def test_what_is_forgotten_does_not_come_back(device: Device) -> None:
    device.second_home("forget")

    assert "BEGIN PRIVATE KEY" not in device.disk.read_bytes().decode("latin-1")
    assert device.second_home("show", success=(1,)) == "nothing is kept\n"


def garble(device: Device, place: int, size: int) -> None:
    with device.disk.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * size)
