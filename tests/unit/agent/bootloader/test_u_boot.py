# SPDX-License-Identifier: Apache-2.0
"""U-Boot's environment on an image file, through the real fw_printenv and fw_setenv."""

import os
from pathlib import Path

import pytest

from ota_agent.bootloader.u_boot import UBoot
from ota_agent.errors import EnvironmentFault
from ota_artifact.errors import ProgramError
from ota_board.environment import decode, encode
from tests.conftest import requires_program

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

SIZE = 0x4000
OFFSETS = (0x4000, 0xC000)
FACTORY = {"mender_boot_part": "2", "upgrade_available": "0", "bootcount": "0", "other": "a=b c"}
TRIAL = {"mender_boot_part": "3", "mender_boot_part_hex": "3", "upgrade_available": "1"}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(bytes(0x10000))
    for number, offset in enumerate(OFFSETS):
        put(path, offset, encode(FACTORY, SIZE, flag=number + 1))
    return path


@pytest.fixture
def u_boot(disk: Path) -> UBoot:
    return UBoot(configured(disk, OFFSETS), OFFSETS)


def configured(disk: Path, offsets: tuple[int, ...]) -> Path:
    path = disk.with_name("fw_env.config")
    lines = [f"{disk} {offset:#x} {SIZE:#x}\n" for offset in offsets]
    path.write_text("# a comment\n\n" + "".join(lines))
    return path


def put(disk: Path, offset: int, data: bytes) -> None:
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def copies(disk: Path) -> list[dict[str, str]]:
    data = disk.read_bytes()
    found = [decode(data[offset : offset + SIZE], is_redundant=True) for offset in OFFSETS]
    return [each.variables if each else {} for each in found]


def test_a_value_with_an_odd_character_is_read_as_it_is(u_boot: UBoot, disk: Path) -> None:
    odd = {
        "mender_boot_part": "3\r",
        "other": "a\x0cupgrade_available=1\x0b\x85",
        "long": "x" * 9999,
    }
    for number, offset in enumerate(OFFSETS):
        put(disk, offset, encode({**FACTORY, **odd}, SIZE, flag=number + 1))

    found = u_boot.read()

    assert found["mender_boot_part"] == "3\r"
    assert found["upgrade_available"] == "0"
    assert found["long"] == "x" * 9999


def test_what_u_boot_saved_is_read(u_boot: UBoot) -> None:
    assert u_boot.read() == FACTORY


def test_a_change_is_whole_in_one_copy_and_the_other_stays(u_boot: UBoot, disk: Path) -> None:
    u_boot.write({**TRIAL, "other": ""})

    new = {**FACTORY, **TRIAL}
    del new["other"]
    assert u_boot.read() == new
    assert sorted(copies(disk), key=str) == sorted([FACTORY, new], key=str)


def test_a_final_change_is_in_both_copies(u_boot: UBoot, disk: Path) -> None:
    u_boot.write(TRIAL)

    u_boot.write({"upgrade_available": "0"}, is_final=True)

    assert copies(disk) == [{**FACTORY, **TRIAL, "upgrade_available": "0"}] * 2


@pytest.mark.parametrize("spoiled", OFFSETS)
def test_one_valid_copy_is_enough_and_a_write_repairs_the_other(
    u_boot: UBoot, disk: Path, spoiled: int
) -> None:
    put(disk, spoiled, b"\xa5" * SIZE)

    assert u_boot.read() == FACTORY
    u_boot.write({"upgrade_available": "0"}, is_final=True)
    assert copies(disk) == [FACTORY] * 2


def test_no_valid_copy_is_a_fault_with_the_file_that_names_it(u_boot: UBoot, disk: Path) -> None:
    disk.write_bytes(bytes(0x10000))

    with pytest.raises(EnvironmentFault, match=r"fw_env\.config: U-Boot's environment cannot be"):
        u_boot.read()
    assert len(u_boot.findings()) == 1


@pytest.mark.parametrize("name", ["a=b", ""])
def test_what_would_change_something_else_is_refused(u_boot: UBoot, name: str) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be a variable"):
        u_boot.write({name: "1"})


def test_a_line_break_does_not_smuggle_a_variable_in(u_boot: UBoot) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be a variable"):
        u_boot.write({"a": "1\nmender_boot_part=3"})

    assert u_boot.read() == FACTORY


def test_a_program_that_says_it_wrote_and_did_not_is_found_out(
    u_boot: UBoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As libubootenv's fw_setenv does with a script of another form: it ends with 0."""
    program = tmp_path / "bin" / "fw_setenv"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    with pytest.raises(EnvironmentFault, match="fw_setenv has not changed mender_boot_part, mend"):
        u_boot.write(TRIAL)


def test_a_program_that_fails_is_told_of(u_boot: UBoot) -> None:
    u_boot.configuration.write_text("/dev/null 0x0 0x4000\n/dev/null 0x8000 0x4000\n")

    with pytest.raises(ProgramError, match="fw_setenv"):
        u_boot.write(TRIAL)


# What an update must not stand on.


def test_a_sound_environment_has_no_findings(u_boot: UBoot) -> None:
    assert u_boot.findings() == []


def test_a_single_copy_is_found(disk: Path) -> None:
    put(disk, OFFSETS[0], encode(FACTORY, SIZE, flag=None))

    (finding,) = UBoot(configured(disk, OFFSETS[:1])).findings()

    assert "names one copy of the environment" in finding


def test_a_place_that_the_board_does_not_have_is_found(disk: Path) -> None:
    (finding,) = UBoot(configured(disk, OFFSETS), (0x400000, 0x800000)).findings()

    assert "points at 0x4000, 0xc000, but this board keeps its environment at 0x400000" in finding


@pytest.mark.parametrize(("canary", "count"), [({}, 1), ({"mender_saveenv_canary": "1"}, 0)])
def test_an_environment_that_u_boot_never_saved_is_found(
    u_boot: UBoot, canary: dict[str, str], count: int
) -> None:
    u_boot.write({"mender_check_saveenv_canary": "1", **canary})

    findings = u_boot.findings()

    assert len(findings) == count
    assert all("mender_saveenv_canary is not set" in each for each in findings)


@pytest.mark.parametrize("line", ["/dev/x", "/dev/x y 1", "/dev/x 0x10 big"])
def test_a_line_that_is_not_a_place_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "fw_env.config"
    path.write_text(f"# places\n{line}\n")

    (finding,) = UBoot(path).findings()

    assert f"{path}:2: is not 'DEVICE OFFSET SIZE'" in finding


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (finding,) = UBoot(tmp_path / "none").findings()

    assert "none: No such file or directory" in finding
