# SPDX-License-Identifier: Apache-2.0
"""Hazards of GRUB's environment, on the files of the factory."""

import hashlib
from pathlib import Path

import pytest

from ota_agent.doctor.grub import too_close
from ota_board.grub import boot_files
from ota_board.load import load_board
from tests.house.tree import ROOT
from tests.unit.agent.doctor.patient import Patient, patient

FOLDER = "grub-mender-grubenv"


@pytest.fixture
def device(tmp_path: Path) -> Patient:
    """A device that starts with GRUB, its boot partition mounted."""
    found = patient(tmp_path)
    boot = found.folder / "boot"
    for name, data in boot_files(load_board(ROOT / "boards" / "qemu-x86-64")).items():
        path = boot / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (found.folder / "grubenv.config").write_text(f"ENV_DIR = {boot}/{FOLDER}\n")
    found.configure('bootloader = "u-boot"', 'bootloader = "grub"')
    found.configure(f"{found.folder}/fw_env.config", f"{found.folder}/grubenv.config")
    mounted(found)
    return found


def mounted(device: Patient, options: str = "ro,noatime") -> None:
    device.mounted(
        ("179:2", "/", "ro", "ext4"),
        ("179:4", str(device.folder / "data"), "rw", "ext4"),
        ("179:1", str(device.folder / "boot"), options, "vfat"),
    )


def grubs(device: Patient) -> set[str]:
    names = ("grub", "boot", "environment", "state", "trial", "next")
    return {each for each in device.hazards() if each.startswith(names)}


def copy(device: Patient, number: int = 1) -> Path:
    return device.folder / "boot" / FOLDER / f"mender_grubenv{number}"


def test_the_files_of_the_factory_are_as_they_should_be(device: Patient) -> None:
    assert grubs(device) == set()


def test_a_copy_that_is_locked_is_a_warning(device: Patient) -> None:
    lock = copy(device) / "lock"
    lock.write_bytes(lock.read_bytes().replace(b"editing=0", b"editing=1"))

    assert grubs(device) == {"grub-copy-locked"}
    assert device.hazards()["grub-copy-locked"].severity == "warning"


def test_a_lock_without_its_sum_is_a_warning(device: Patient) -> None:
    (copy(device) / "lock.sha256sum").write_text(hashlib.sha256(b"").hexdigest())

    assert grubs(device) == {"grub-lock-without-sum"}


@pytest.mark.parametrize("data", [b"", b"#" * 1024])
def test_a_block_of_another_size_or_kind_is_an_error(device: Patient, data: bytes) -> None:
    (copy(device, 2) / "env").write_bytes(data)

    assert grubs(device) == {"grub-copy-damaged"}
    assert device.hazards()["grub-copy-damaged"].place.endswith("mender_grubenv2/env")


def test_files_that_are_not_there_are_an_error(device: Patient) -> None:
    (copy(device) / "env").unlink()

    assert grubs(device) == {"grub-environment-missing"}


def test_a_boot_partition_that_is_writable_is_a_warning(device: Patient) -> None:
    mounted(device, "rw,relatime")

    assert grubs(device) == {"boot-writable"}
    assert device.hazards()["boot-writable"].severity == "warning"


@pytest.mark.parametrize(
    ("first", "second", "hazards"),
    [
        ([(0, 512), (1024, 512)], [(2048, 512)], ["grub-copies-too-close"]),
        ([(2048, 512)], [(0, 512)], ["grub-copies-too-close"]),
        ([(0, 512)], [(512 + (256 << 10) - 1, 512)], ["grub-copies-too-close"]),
        ([(0, 512)], [(512 + (256 << 10), 512)], []),
        ([(1 << 20, 512)], [(0, 512)], []),
    ],
)
def test_copies_that_one_garbled_block_takes_are_a_warning(
    first: list[tuple[int, int]], second: list[tuple[int, int]], hazards: list[str]
) -> None:
    assert [each.hazard for each in too_close(Path("/boot"), first, second)] == hazards


def test_a_boot_partition_that_is_not_mounted_is_an_error(device: Patient) -> None:
    device.mounted(("179:2", "/", "rw", "ext4"), ("179:4", f"{device.folder}/data", "rw", "ext4"))
    assert grubs(device) == {"boot-not-mounted"}


def test_without_its_configuration_the_environment_is_not_found(device: Patient) -> None:
    (device.folder / "grubenv.config").unlink()

    assert "No such file" in device.hazards()["environment-not-found"].cause
