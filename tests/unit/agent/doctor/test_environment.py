# SPDX-License-Identifier: Apache-2.0
"""Hazards of U-Boot's environment, on the bytes that the real tools read and write."""

from pathlib import Path

import pytest

from ota_agent.bootloader.u_boot import judged
from ota_agent.config.settings import load_settings
from ota_agent.doctor.case import open_case
from ota_agent.doctor.environment import probe
from ota_artifact.run import run
from ota_board.environment import encode
from tests.conftest import requires_program
from tests.unit.agent.doctor.patient import Patient, patient
from tests.unit.agent.scratch import FACTORY, OFFSETS, SIZE

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")


@pytest.fixture
def device(tmp_path: Path) -> Patient:
    return patient(tmp_path)


def put(device: Patient, offset: int, data: bytes) -> None:
    with (device.folder / "environment").open("r+b") as file:
        file.seek(offset)
        file.write(data)


def configuration(device: Patient, *lines: str) -> None:
    (device.folder / "fw_env.config").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (encode(FACTORY, SIZE, flag=1), "redundant"),
        (encode(FACTORY, SIZE, flag=None), "single"),
        (bytes(SIZE), "empty"),
        (b"\xff" * SIZE, "empty"),
        (b"x" * SIZE, "damaged"),
        (encode(FACTORY, SIZE, flag=1)[:-1] + b"x", "damaged"),
        (b"", "empty"),
    ],
)
def test_a_copy_is_told_by_its_bytes(raw: bytes, found: str) -> None:
    assert judged(raw) == found


def test_a_damaged_copy_is_a_warning_and_its_remedy_repairs_it(device: Patient) -> None:
    put(device, OFFSETS[0], b"x" * 64)
    found = device.hazards()["environment-copy-damaged"]

    assert found.severity == "warning"
    assert found.place.endswith("environment at 0x4000")
    assert "`echo bootlimit=1 | fw_setenv -s -` twice" in found.remedy
    for _ in range(2):
        words = ("fw_setenv", "-c", device.folder / "fw_env.config", "-s", "-")
        run(words, timeout=10, stdin=b"bootlimit=1\n")
    assert "environment-copy-damaged" not in device.hazards()


def test_an_environment_that_was_never_written_is_an_error(device: Patient) -> None:
    for offset in OFFSETS:
        put(device, offset, bytes(SIZE))

    found = device.hazards()

    assert found["environment-never-written"].severity == "error"
    assert found["environment-unreadable"].severity == "error"


def test_copies_without_a_counter_have_lost_their_redundancy(device: Patient) -> None:
    put(device, OFFSETS[1], encode(FACTORY, SIZE, flag=None))

    assert "has no counter" in device.hazards()["redundancy-lost"].cause


def test_one_copy_alone_has_no_redundancy(device: Patient) -> None:
    configuration(device, f"{device.folder}/environment {OFFSETS[0]:#x} {SIZE:#x}")

    found = device.hazards()

    assert "names 1 copies" in found["redundancy-lost"].cause
    assert "the layout has 0x4000 B at 0x4000" in found["fw-env-config-differs"].cause


@pytest.mark.parametrize(("offset", "size"), [(0x5000, SIZE), (OFFSETS[0], SIZE // 2)])
def test_another_offset_or_size_than_the_layouts_is_found(
    device: Patient, offset: int, size: int
) -> None:
    disk = device.folder / "environment"
    configuration(device, f"{disk} {offset:#x} {size:#x}", f"{disk} {OFFSETS[1]:#x} {size:#x}")

    assert f"{size:#x} B at {offset:#x}" in device.hazards()["fw-env-config-differs"].cause


def test_a_missing_or_wrong_configuration_is_found(device: Patient) -> None:
    configuration(device, "/dev/mmcblk0 here")
    assert ":1: is not 'DEVICE OFFSET SIZE'" in device.hazards()["fw-env-config-differs"].cause

    (device.folder / "fw_env.config").unlink()
    assert "fw-env-config-missing" in device.hazards()


def test_a_disk_that_is_not_there_is_found(device: Patient) -> None:
    configuration(device, *(f"{device.folder}/none {offset:#x} {SIZE:#x}" for offset in OFFSETS))

    assert "No such file" in device.hazards()["environment-device-missing"].cause


def test_without_the_tools_it_says_which_package_has_them(
    device: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(device.folder))

    settings = load_settings(device.device.configuration, menders=())

    found = list(probe(open_case(settings, device.system)))

    assert {each.place for each in found} == {"fw_printenv", "fw_setenv"}
    assert all("libubootenv" in each.remedy for each in found)
